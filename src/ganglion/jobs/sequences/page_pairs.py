"""The part of a report that only translators have: what they wrote, and where they looked for it."""

from typing import Any

import numpy as np
import torch

from ganglion.data.tokens import BEGIN
from ganglion.explain import attention_maps
from ganglion.jobs.sequences.looks import look_part, words_of
from ganglion.metrics.bleu import bleu
from ganglion.report import Part, Passage, Piece

EXAMPLES, WORST = 6, 4
LETTERS = 600  # of a text that are shown


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that a translator fills."""
    scores = result.scores
    said = [
        (f"On {len(result.test):,} pairs that it has never seen, what the network writes reaches ", False),
        (f"{100 * scores['bleu']:.1f} BLEU", True),
        (f"; {scores['exact']:.0%} of it is word for word what was wanted.", False),
    ]
    parts = [*written(result), *looks(result)]
    return {
        "family": "sequence",
        "task": "translation",
        "facts": facts_of(result),
        "parts": parts,
        "said": said,
    }


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job, estimator = result.job, result.estimator
    return {
        "pairs read": f"{job.n_read:,}", "from": ", ".join(job.names) or "texts", "to": job.target,
        "for training": f"{len(result.train):,}", "for the test": f"{len(result.test):,}",
        "vocabulary": f"{estimator.tokenizer_.size:,} and {estimator.target_tokenizer_.size:,} tokens",
    }  # fmt: skip


def written(result: Any) -> list[Part]:
    """Some texts that it wrote, picked by chance, and the worst."""
    source, truth, said = result.job.take(result.test), result.job.goal(result.test), result.answer
    order = np.random.default_rng(0).permutation(len(said))[:EXAMPLES].tolist()
    each = [bleu([one], [true]) for one, true in zip(said, truth)]
    worst = [i for i in np.argsort(each, kind="stable")[:WORST].tolist() if each[i] < 1 and i not in order]

    def passage(i: int) -> Passage:
        return Passage(
            pieces=in_common(said[i], truth[i]), name=short(source[i]), note=f"wanted: {short(truth[i])}"
        )

    lead = "Above each text stands what was read, below it what was wanted. Words that both have are marked."
    found = [Part(id="examples", name="Examples", title="What it writes", lead=f"Picked by chance. {lead}",
                  passages=[passage(i) for i in order])]  # fmt: skip
    if worst:
        found.append(Part(id="mistakes", name="Worst mistakes", title="Worst mistakes",
                          lead="The texts that share least with what was wanted.",
                          passages=[passage(i) for i in worst]))  # fmt: skip
    return found


def in_common(text: str, wanted: str) -> list[Piece]:
    """The words of a text, those that are wanted marked.

    >>> [piece.mark for piece in in_common("a red cat", "the red dog")]
    ['', 'good', '']
    """
    known = set(wanted.split())
    return [Piece(text=f"{word} ", mark="good" if word in known else "") for word in short(text).split()]


def short(text: str) -> str:
    """A text of at most so many letters.

    >>> short("a text")
    'a text'
    """
    return text if len(text) <= LETTERS else text[:LETTERS] + " …"


def looks(result: Any) -> list[Part]:
    """Which words of a source were looked at for each word that was written."""
    from ganglion.estimators.sequences.translator import coded

    estimator, texts = result.estimator, result.job.take(result.test)
    i = min(range(len(texts)), key=lambda j: abs(len(texts[j]) - 60))  # some ten words
    device = torch.device("cpu")
    source = coded(estimator.tokenizer_, [texts[i]], device).padded()
    target = coded(estimator.target_tokenizer_, [result.answer[i]], device).padded()
    before = torch.cat([torch.full((1, 1), BEGIN), target[:, :-1]], 1)
    maps = [look for look in attention_maps(estimator.module_, source, before) if look.cross]
    if not maps or not len(target[0]):
        return []
    columns, rows = (
        words_of(estimator.tokenizer_, source[0]),
        words_of(estimator.target_tokenizer_, target[0]),
    )
    lead = "Each row is a token that was written, each column one that was read; mean over heads"
    lead += " and layers." if len(maps) > 1 else "."
    return [look_part(rows, columns, torch.stack([look.weights[0].mean(0) for look in maps]).mean(0), lead)]
