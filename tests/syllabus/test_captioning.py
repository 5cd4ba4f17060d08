"""Pictures described in words."""

import pytest

from ganglion import ImageCaptioner
from ganglion.metrics.bleu import bleu


def test_the_unseen_combinations_are_unseen(benchmark):
    """A fifth of (colour, shape, role) is held out; no training picture shows one, each unseen picture does."""
    world = benchmark("_caption_world")
    held = world.held_out(0)
    assert len(held) * 5 == len(world.COLOURS) * len(world.SHAPES) * len(world.ROLES)
    said = {f"{c} {s}{'es' if s == 'cross' else 's'}" for c, s, r in held if r == "two"}
    seen, unseen = (world.world(400, 1, which, held)[1] for which in (False, True))
    assert not any(any(text.endswith(end) and text.startswith("two") for end in said) for (text, *_) in seen)
    assert any(any(text.endswith(end) and text.startswith("two") for end in said) for (text, *_) in unseen)
    alone = {f"{c} {s}" for c, s, r in held if r == "alone"}
    assert not any(len(texts) == 1 and texts[0].split(maxsplit=2)[2] in alone for texts in seen)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_image_captioning(benchmark):
    """95 % of captions and more are exactly right on unseen combinations, and BLEU-4 is sacrebleu's."""
    world = benchmark("_caption_world")
    held = world.held_out(0)
    model = ImageCaptioner(**world.RECIPE).fit(*world.world(world.PICTURES, 0, False, held))
    X, captions = world.world(1000, 1, True, held)
    texts = model.predict(X)
    assert model.score(X, captions) >= 0.95
    sacrebleu = pytest.importorskip("sacrebleu")  # last: what is said right needs no peer to be judged
    references = [[several[i % len(several)] for several in captions] for i in range(2)]
    theirs = sacrebleu.corpus_bleu(texts, references, tokenize="none", force=True).score / 100
    assert bleu(texts, captions) == pytest.approx(theirs, abs=1e-12)
