"""Translators: what they learn, beams against exhaustive search, caches, teacher forcing, and what is refused."""

import itertools

import numpy as np
import pytest
import torch

from ganglion import Translator, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.models.translator import NEVER, TranslatorNet
from ganglion.objectives.translation import Translation

KINDS = [("transformer", True), ("gru", True), ("gru", False), ("lstm", True), ("rnn", True)]


def reversals(n=300, seed=0):
    """Words of two to five letters, and their letters from the end on."""
    rng = np.random.default_rng(seed)
    X = [" ".join(rng.choice(list("abcdef"), rng.integers(2, 6))) for _ in range(n)]
    return X, [text[::-1] for text in X]


def net(cell="transformer", attention=True, layers=1):
    """A small network whose last weights are not zero."""
    torch.manual_seed(0)
    made = TranslatorNet((9, 7), cell=cell, units=8, heads=2, layers=layers, attention=attention)
    torch.nn.init.normal_(made.writer.head.weight, std=1.5)
    for table in (made.reader.embed, made.writer.embed):
        torch.nn.init.normal_(table.weight)
    return made.eval()


@pytest.mark.parametrize(("cell", "attention"), [("transformer", True), ("gru", True)])
def test_it_learns_to_turn_words_around(cell, attention, tmp_path):
    shape = {"units": 48, "heads": 4, "layers": 1, "tokens": "words", "dropout": 0.0, "label_smoothing": 0.0}
    model = Translator(cell=cell, attention=attention, **shape, batch_size=16, max_epochs=25, lr=0.004)
    model.fit(*reversals(600))
    X, y = reversals(100, seed=1)
    assert np.mean([a == b for a, b in zip(model.predict(X), y)]) > 0.8
    assert model.score(X, y) > 0.85
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.predict(X) == model.predict(X)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_padding_of_the_source_changes_nothing(cell, attention):
    made = net(cell, attention)
    source, before = torch.tensor([[4, 5, 6]]), torch.tensor([[2, 4, 5]])
    padded = torch.tensor([[4, 5, 6, 0, 0], [4, 5, 6, 7, 8]])
    found = made(padded, before.expand(2, -1))
    torch.testing.assert_close(found[:1], made(source, before), rtol=0, atol=1e-5)
    assert not torch.allclose(found[1], found[0], atol=1e-3)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_token_by_token_as_all_at_once(cell, attention):
    made = net(cell, attention, layers=2)
    source = torch.tensor([[4, 5, 6, 0], [7, 8, 4, 5]])
    before = torch.tensor([[2, 4, 5, 6], [2, 6, 6, 4]])
    state, steps = made.writer.begin(made.reader(source)), []
    for last in before.unbind(1):
        logits, state = made.writer.step(state, last)
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, 1), made(source, before), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_wide_beam_is_the_exhaustive_search(cell, attention, power):
    made, steps = net(cell, attention), 3
    source = torch.tensor([[4, 5, 6], [7, 8, 0]])
    letters = [code for code in range(7) if code not in NEVER and code != 3]
    texts = [(*body, 3) for size in range(steps) for body in itertools.product(letters, repeat=size)]
    texts += list(itertools.product(letters, repeat=steps))  # cut before their end
    best = []
    for row in source:
        scores = []
        for text in texts:
            before = torch.tensor([[2, *text[:-1]]])
            logits = made(row[row > 0][None], before)[0].detach().clone()
            logits[:, list(NEVER)] = -torch.inf
            log_p = float(torch.log_softmax(logits, 1)[range(len(text)), text].sum())
            scores.append(log_p / len(text) ** power)
        best.append(texts[int(np.argmax(scores))])
    found, _ = made.write(source, steps=steps, beam=400, length_power=power)
    assert [tuple(row[row >= 0].tolist()) for row in found] == best


@torch.no_grad()
def test_the_loss_by_hand():
    made = net()
    x, y = torch.tensor([[4, 5], [6, 0]]), torch.tensor([[4, 5, 3], [6, 3, 0]])
    losses = Translation(made, length=2.5)({"x": x, "y": y}, "train").loss
    for i, text in enumerate(([4, 5, 3], [6, 3])):
        logs = torch.log_softmax(made(x[i][x[i] > 0][None], torch.tensor([[2, *text[:-1]]]))[0], 1)
        assert losses[i].item() == pytest.approx(-float(logs[range(len(text)), text].sum()) / 2.5, abs=1e-5)


@pytest.mark.parametrize(("cell", "attention"), KINDS)
def test_logits_of_some_places_are_those_of_all(cell, attention):
    made = net(cell, attention)
    source, before = torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([[2, 4, 5], [2, 6, 4]])
    asked = torch.tensor([[True, True, False], [True, False, True]])
    torch.testing.assert_close(made(source, before, asked), made(source, before)[asked], rtol=0, atol=1e-6)


def test_given_pairs_choose_the_epoch():
    X, y = reversals(60)
    model = Translator(units=8, heads=2, layers=1, max_epochs=1, tokens="words")
    model.fit([*X, "unseen"], [*y, "never"], validation=np.arange(61) >= 50)
    assert model.record_.data["n_train"] == 50
    assert model.record_.data["n_validation"] == 11
    assert model.predict(["unseen"]) == model.predict(["unknown"])  # not learned from


def test_scheduled_sampling_takes_its_own_words_and_never_at_the_end():
    made = net()
    objective = Translation(made, length=3.0, sampled=1.0)
    x, y = torch.tensor([[4, 5]]), torch.tensor([[4, 5, 6, 3]])
    before = torch.tensor([[2, 4, 5, 6]])
    own = made(x, before).argmax(2)
    assert objective._mixed(x, y, before).tolist() == [[2, *own[0, :3].tolist()]]
    objective.eval()
    torch.testing.assert_close(
        objective({"x": x, "y": y}, "train").loss, Translation(made, 3.0)({"x": x, "y": y}, "train").loss
    )
    objective.train()
    assert objective({"x": x, "y": y}, "train").loss.requires_grad


def test_awkward_texts():
    X, y = reversals(40)
    model = Translator(units=8, heads=2, layers=1, max_epochs=1, tokens="bpe(30)").fit(
        [*X, "", None, "\ud800", "😀"], [*y, "x", "", "y", "🙂"]
    )
    assert len(model.predict(["", "unknown words", "a " * 300, "\ud800"])) == 4


def test_what_is_refused():
    X, y = reversals(20)
    with pytest.raises(DataError, match="same number"):
        Translator().fit(X, y[:-1])
    with pytest.raises(DataError, match="row 2"):
        Translator().fit(X, [*y[:2], 5, *y[3:]])
    with pytest.raises(DataError, match="got none"):
        Translator().fit([], [])
    with pytest.raises(DataError, match="requires y"):
        Translator().fit(X, None)
    with pytest.raises(ParameterError, match="must be even"):
        Translator(cell="gru", units=7).fit(X, y)
    with pytest.raises(ParameterError, match="heads must divide"):
        Translator(units=10, heads=4).fit(X, y)
