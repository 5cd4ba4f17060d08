"""Language models: what they learn, how they write, cached as uncached, and what is refused."""

import numpy as np
import pytest
import torch

from ganglion import LanguageModel, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.data.stream import StreamBatches, windows
from ganglion.data.tokens import END, tokenizer_named
from ganglion.estimators.sequences.corpus import Answers
from ganglion.models.generate import generate
from ganglion.models.language import LanguageNet

TEXT = "the cat sat on the mat. the dog sat on the log. " * 40


@pytest.fixture(scope="module")
def model():
    return LanguageModel(units=32, layers=2, context=32, max_epochs=25, lr=0.01, batch_size=8).fit(TEXT)


def test_it_learns_what_comes_next(model):
    assert (
        model.record_.scores["validation"]["perplexity"]
        < 1.5
        < 3
        < model.record_.baselines["dummy"]["perplexity"]
    )
    assert model.generate("the cat sat on ", length=8, temperature=0) == "the mat."
    assert model.predict(["the cat sat on the ma"]) == ["t"]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_recurrent_ones_too(cell, tmp_path):
    model = LanguageModel(cell=cell, units=48, layers=1, context=16, max_epochs=8, lr=0.01, batch_size=8).fit(
        TEXT
    )
    assert model.record_.scores["validation"]["perplexity"] < 2
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.generate("the", length=30, random_state=3) == model.generate("the", length=30, random_state=3)


def test_several_texts_have_ends():
    names = ["anna", "bob", "carla", "dave"] * 40
    model = LanguageModel(units=32, layers=1, context=12, max_epochs=30, lr=0.01, batch_size=16).fit(names)
    found = model.generate("", n=20, length=12, stop=True, random_state=0)
    assert len(found) == 20
    assert np.mean([name in names for name in found]) > 0.8
    scores = model.score_samples(["anna", "nnaa"])
    assert scores[0] > scores[1] + 3
    assert -2.5 < scores[0] < -1.0  # one of four


def test_scores_are_sums_of_the_tokens(model):
    text = "the dog sat"
    codes = model.tokenizer_.encode(text)
    whole = np.concatenate([[3], codes, [3]])
    total = 0.0
    with torch.no_grad():
        for i in range(1, len(whole)):
            logits = model.module_(torch.from_numpy(whole[None, :i].astype(np.int64)))[0, -1]
            total += float(torch.log_softmax(logits, 0)[whole[i]])
    assert model.score_samples([text])[0] == pytest.approx(total, abs=1e-4)


def test_texts_are_scored_behind_a_prompt(model):
    whole, head = model.score_samples(["the dog sat on"]), model.score_samples([" on"], "the dog sat")
    assert model.score_samples([" on"], ["the dog sat"]) == head
    with torch.no_grad():
        seen = model._losses(torch.tensor([3, *model.tokenizer_.encode("the dog sat")]), 0).sum()
    assert head[0] == pytest.approx(whole[0] + float(seen), abs=1e-4)
    with pytest.raises(DataError, match="2 texts are expected, got 1"):
        model.score_samples(["a", "b"], ["the"])


def test_windows_that_overlap_ask_for_every_token_once(model):
    text = TEXT[:150]
    codes = np.concatenate([[3], model.tokenizer_.encode(text), [3]])
    total = 0.0
    with torch.no_grad():
        for i in range(1, len(codes)):
            start = max(0, (i - 17) // 16 * 16)  # half of 32 places stay
            logits = model.module_(torch.from_numpy(codes[None, start:i].astype(np.int64)))[0, -1]
            total += float(torch.log_softmax(logits, 0)[codes[i]])
    assert model.score_samples([text], overlap=0.5)[0] == pytest.approx(total, abs=1e-3)
    for share in (-0.1, 1, "half"):
        with pytest.raises(ParameterError, match="overlap"):
            model.score_samples([text], overlap=share)


def test_the_texts_that_choose_the_epoch_can_be_named():
    texts = ["anna", "", "bob", "carla"] * 20
    aside = np.arange(80) % 4 == 2
    model = LanguageModel(units=8, heads=2, layers=1, context=12, max_epochs=2).fit(texts, validation=aside)
    assert model.record_.data["n_validation"] == 1 + 20 * len("bob+")
    assert model.record_.data["n_train"] == 1 + 20 * len("anna+carla+")
    with pytest.raises(DataError, match="80 truth values"):
        model.fit(texts, validation=aside[1:])


def test_the_score_is_the_mean_over_windows(model):
    codes = torch.from_numpy(model.tokenizer_.encode(TEXT[:1000]).astype(np.int64))
    total, n = 0.0, 0
    with torch.no_grad():
        for i in range(0, len(codes) - 1, 32):
            part = codes[i : i + 33]
            logs = torch.log_softmax(model.module_(part[None, :-1]), 2)[0]
            total += float(logs.gather(1, part[1:, None]).sum())
            n += len(part) - 1
    assert n == len(codes) - 1
    assert model.score(TEXT[:1000]) == pytest.approx(total / n, abs=1e-5)


@pytest.mark.parametrize("cell", ["transformer", "lstm", "gru", "rnn"])
@pytest.mark.parametrize("context", [5, 8, 64])
def test_cached_as_uncached(cell, context):
    torch.manual_seed(0)
    net = LanguageNet(11, cell=cell, units=16, heads=2, layers=2).eval()
    torch.nn.init.normal_(net.head.weight)
    prompt = torch.randint(4, 11, (3, 4))
    ways = [
        generate(net.step, prompt, length=30, context=context, cached=cached, top_k=5,
                 generator=torch.Generator().manual_seed(1))
        for cached in (True, False)
    ]  # fmt: skip
    assert torch.equal(*ways)
    logits, state = net.step(prompt)
    steps = [logits]
    for code in prompt.split(1, 1):
        logits, state = net.step(code, state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), net(torch.cat([prompt, prompt], 1)), rtol=0, atol=1e-5)


def test_a_seed_writes_the_same_again(model):
    texts = [model.generate("the", length=40, random_state=s) for s in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert len(model.generate("the", n=3, length=5)) == 3
    assert len(model.generate(length=5)) == 5


def test_every_code_is_asked_for_once_in_an_epoch():
    codes = torch.arange(103)
    batches = StreamBatches(codes, 10, 4)
    seen = torch.cat([batch["y"].flatten() for batch in batches.epoch(0, 5)])
    assert len(seen.unique()) == len(seen) >= 90
    again = [batch["x"].tolist() for batch in batches.epoch(0, 5, start=1)]
    assert again == [batch["x"].tolist() for batch in batches.epoch(0, 5)][1:]
    assert windows(torch.arange(4), 10).tolist() == [[0, 1, 2, 3]]


def test_updates_may_be_bounded():
    model = LanguageModel(units=8, heads=2, layers=1, context=8, max_steps=7, batch_size=4).fit(TEXT)
    assert model.history_[-1]["step"] == 7


@pytest.mark.parametrize("tokens", ["characters", "bytes", "words(50)", "bpe(40)"])
def test_any_tokens(tokens, tmp_path):
    model = LanguageModel(tokens=tokens, units=16, heads=2, layers=1, context=8, max_epochs=1).fit(TEXT)
    assert isinstance(
        load(model.save(tmp_path / "m.ganglion")).generate("the", length=5, random_state=0), str
    )


@pytest.fixture(scope="module")
def turned():
    """Four letters and the same from the last on: only what stands behind the arrow can be told."""
    rng = np.random.default_rng(0)
    X = ["".join(rng.choice(list("abcdef"), 4)) + ">" for _ in range(1500)]
    y = [text[3::-1] for text in X]
    model = LanguageModel(
        units=48,
        layers=2,
        context=16,
        positions="relative",
        lr=0.01,
        batch_size=32,
        max_epochs=12,
        random_state=0,
    )
    return model.fit(X[:1400], y[:1400]), X[1400:], y[1400:]


def test_answers_are_learned_and_prompts_are_not(turned):
    model, X, y = turned
    assert [model.generate(text, temperature=0, stop=True) for text in X[:20]] == y[:20]
    assert model.history_[-1]["val_loss"] < 0.05  # 0.8 and more a token, if the random letters counted
    assert model.score_samples(X[:20]).mean() / 6 < -3  # never asked for, so never learned


def test_the_score_of_answers_is_that_of_texts_behind_prompts(turned, tmp_path):
    model, X, y = turned
    told = model.score_samples(y, X).sum() / sum(len(text) + 1 for text in y)
    assert model.score(X, y) == pytest.approx(told, abs=1e-6)
    assert load(model.save(tmp_path / "m.ganglion")).score(X, y) == pytest.approx(told, abs=1e-6)


def test_of_a_long_pair_the_end_is_read():
    tokenizer = tokenizer_named("characters").learn(["abcdef"])
    pairs = Answers.of(tokenizer, ["abcd", "", "a"], ["ef", "f", "bcdef"], 4, torch.device("cpu"))
    assert [tokenizer.decode(row[row > END].numpy()) for row in pairs.x.padded()] == ["cdef", "f", "cdef"]
    assert [tokenizer.decode(row[row > END].numpy()) for row in pairs.y.padded()] == ["ef", "f", "def"]
    assert (pairs.y.values == END).sum() == 3


def test_which_pairs_choose_the_epoch_can_be_named():
    X, y = ["a>", "b>", "c>"] * 8, ["x", "y", "z"] * 8
    chosen = np.arange(24) >= 18
    model = LanguageModel(units=16, layers=1, heads=1, context=8, max_epochs=2).fit(X, y, validation=chosen)
    assert model.record_.data["n_validation"] == 6 * 4
    assert model.record_.scores["validation"]["score"] == pytest.approx(model.score(X[18:], y[18:]), abs=1e-6)


def test_what_is_refused():
    for nothing in ("", [], [""], [None]):
        with pytest.raises(DataError, match=r"expected, got nothing|text"):
            LanguageModel(max_epochs=1).fit(nothing)
    with pytest.raises(DataError, match="at least 2 tokens"):
        LanguageModel(max_epochs=1).fit("a")
    with pytest.raises(DataError, match="sample_weight"):
        LanguageModel(max_epochs=1).fit(["ab", "cd"], sample_weight=[1, 2])
    with pytest.raises(DataError, match="2 texts are expected, got 1"):
        LanguageModel(max_epochs=1).fit(["ab", "cd"], ["x"])
    with pytest.raises(ParameterError, match="a transformer has none"):
        LanguageModel(memory=50).fit(TEXT)
    with pytest.raises(ParameterError, match="no l1"):
        LanguageModel(l1=0.1).fit(TEXT)
    with pytest.raises(DataError, match="row 1"):
        LanguageModel(max_epochs=1).fit(["ab", 3])
