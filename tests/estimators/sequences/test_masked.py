"""Masked language models: what they are asked, how they fill gaps, and classifiers that begin from them."""

import numpy as np
import pytest
import torch

from ganglion import LanguageModel, MaskedLanguageModel, TextClassifier, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.data.tokens import BEGIN, SPECIALS
from ganglion.objectives.language import NOTHING, HiddenToken, hidden, token_losses

SMALL = {"units": 32, "layers": 2, "context": 16, "lr": 0.01, "random_state": 0}


@pytest.fixture(scope="module")
def texts():
    """Sentences in which the first word tells the last, whatever stands between."""
    rng = np.random.default_rng(0)
    ends = {"cats": "purr", "dogs": "bark", "birds": "sing"}
    firsts = rng.choice(list(ends), 400)
    return [f"{first} {rng.choice(['may', 'can', 'will'])} {ends[first]}" for first in firsts]


@pytest.fixture(scope="module")
def model(texts):
    return MaskedLanguageModel(tokens="words", max_epochs=60, batch_size=8, **SMALL).fit(texts)


def test_gaps_are_filled_from_both_sides(model):
    assert model.fill("cats may [MASK]") == "cats may purr"
    assert model.fill(["[MASK] can bark", "no gap", ""]) == ["dogs can bark", "no gap", ""]
    assert model.fill("birds _ sing", gap="_").split()[1] in ("may", "can", "will")
    assert model.predict(["[MASK] will sing"]) == ["birds will sing"]


def test_scores_are_of_hidden_tokens(model, texts):
    scores = model.score_samples(["cats may purr", "cats may bark"])
    assert scores[0] > scores[1] + 3
    codes = torch.from_numpy(model._around(model.tokenizer_.encode("cats may purr")).astype(np.int64))
    total = 0.0
    for place in (1, 2, 3):
        x = codes.clone()
        x[place] = BEGIN
        with torch.no_grad():
            total += float(model.module_(x[None])[0, place].log_softmax(0)[codes[place]])
    assert scores[0] == pytest.approx(total, abs=1e-5)
    assert model.score(texts) == model.score(texts) > model.record_.baselines["dummy"]["score"] + 0.3


def test_a_file_holds_all_of_it(model, tmp_path):
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.fill("cats may [MASK]") == "cats may purr"
    assert back.score_samples(["dogs can sing"]) == model.score_samples(["dogs can sing"])


def test_what_is_asked_in_training():
    """A share of the tokens; of these 8 of 10 are hidden, one is another and one itself; no other place counts."""
    seen = []

    class Net(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.nn.functional.one_hot(x, 50).float()

    x = torch.randint(SPECIALS, 50, (200, 100))
    torch.manual_seed(0)
    step = HiddenToken(Net(), BEGIN, SPECIALS, 50, 0.15)({"x": x}, "train")
    torch.manual_seed(0)
    _, told = hidden(x, BEGIN, 0.15)
    asked = told != NOTHING
    assert float(asked.float().mean()) == pytest.approx(0.15, abs=0.01)
    marked, same = (seen[0] == BEGIN) & asked, (seen[0] == x) & asked
    assert float(marked.sum() / asked.sum()) == pytest.approx(0.8, abs=0.03)
    assert float(same.sum() / asked.sum()) == pytest.approx(0.1 + 0.1 / (50 - SPECIALS), abs=0.02)
    assert (seen[0][~asked] == x[~asked]).all()
    losses = token_losses(torch.nn.functional.one_hot(seen[0], 50).float(), told)
    torch.testing.assert_close(step.loss, losses.sum(1) / asked.sum(1))


@pytest.mark.parametrize("kind", [MaskedLanguageModel, LanguageModel])
def test_a_classifier_begins_where_a_language_model_ended(kind, model, texts):
    start = model if kind is MaskedLanguageModel else kind(tokens="words", max_epochs=2, **SMALL).fit(texts)
    shape = {
        "cell": "transformer",
        "units": 32,
        "layers": 2,
        "pool": "mean",
        "dropout": 0.0,
        "random_state": 0,
    }
    held = TextClassifier(lr=1e-12, max_epochs=1, weight_decay=0.0, **shape)
    held.fit(texts, [text[0] for text in texts], start=start)
    torch.testing.assert_close(held.module_.embed.weight, start.module_.embed.weight)
    codes = torch.from_numpy(start.tokenizer_.encode("cats may purr").astype(np.int64))[None]
    if kind is MaskedLanguageModel:
        with torch.no_grad():
            body = start.module_.body(start.module_.embed(codes))
            torch.testing.assert_close(held.module_.encoder(held.module_.embed(codes))[0], body)
    assert held.tokenizer_ is start.tokenizer_


def test_a_recurrent_one_too(texts, tmp_path):
    start = LanguageModel(cell="gru", tokens="words", max_epochs=2, **SMALL).fit(texts)
    classifier = TextClassifier(
        cell="gru", units=32, layers=2, bidirectional=False, max_epochs=3, random_state=0
    )
    classifier.fit(texts, [text[0] for text in texts], start=start)
    assert load(classifier.save(tmp_path / "m.ganglion")).predict(["dogs 2024"]) == classifier.predict(
        ["dogs 2024"]
    )


def test_what_does_not_fit_is_refused(model, texts):
    with pytest.raises(ParameterError, match="set cell='transformer', units=32, layers=2"):
        TextClassifier(cell="transformer").fit(texts, [text[0] for text in texts], start=model)
    with pytest.raises(ParameterError, match="got a TextClassifier"):
        other = TextClassifier().fit(texts, [text[0] for text in texts])
        TextClassifier(cell="gru").fit(texts, [text[0] for text in texts], start=other)
    with pytest.raises(DataError, match="got an empty text"):
        model.fill("a", gap="")
    with pytest.raises(DataError, match="without weights"):
        MaskedLanguageModel().fit(texts, sample_weight=np.ones(400))
