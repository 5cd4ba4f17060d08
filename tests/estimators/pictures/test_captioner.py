"""ImageCaptioner: several captions, odd words, hard attention, answers that hold after a break and in a file."""

import numpy as np
import pytest
import torch

from ganglion import ImageCaptioner, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.bleu import bleu
from ganglion.objectives.caption import Captioning
from ganglion.train import checkpoint

QUICK = {"widths": (8,), "units": 32, "max_epochs": 15, "batch_size": 16, "lr": 5e-3, "norm": "batch"}


def bars(n, seed=0):
    """Pictures (n, 8, 8) of a bar on one of four sides, bright or dim, with two captions each."""
    rng = np.random.default_rng(seed)
    X, captions = rng.integers(0, 30, (n, 8, 8), dtype=np.uint8), []
    for picture, side, bright in zip(X, rng.integers(4, size=n), rng.integers(2, size=n)):
        np.rot90(picture, side)[:2, 2:6] += np.uint8(200 if bright else 90)
        light, name = ("dim", "bright")[bright], ("top", "right", "bottom", "left")[side]
        captions.append([f"a {light} bar at the {name}", f"{name} : {light} bar"])
    return X, captions


@pytest.fixture(scope="module")
def problem():
    return bars(240)


@pytest.fixture(scope="module")
def model(problem):
    return ImageCaptioner(**QUICK).fit(*problem)


def test_it_says_one_of_the_captions(model):
    X, captions = bars(60, seed=1)
    texts = model.predict(X)
    assert (
        np.mean([text in several for text, several in zip(texts, captions)]) == model.score(X, captions) > 0.9
    )
    scores = model.record_.scores["validation"]
    assert scores["score"] > 0.9
    assert scores["bleu"] > 0.9
    assert 0.3 < scores["loss"] < 2  # two captions are equally right: at best log 2
    assert model.record_.baselines["dummy"]["score"] < 0.4
    assert bleu(texts, captions) > 0.9


def test_attention_is_a_distribution_for_each_word(model):
    X, _ = bars(20, seed=2)
    weights, texts = model.attend(X), model.predict(X)
    assert weights.shape == (20, model.steps_, 4, 4)
    for row, text in zip(weights, texts):
        size = len(text.split()) + 1  # with the end
        assert np.allclose(row[:size].sum((1, 2)), 1, atol=1e-5)
        assert (row[size:] == 0).all()


def test_attention_lies_where_the_words_come_from():
    """The bar's brightness stands in one corner only: that is where the word for it is read."""
    rng = np.random.default_rng(0)
    corner = rng.integers(4, size=400)
    colour = rng.integers(3, size=400)
    X = np.zeros((400, 16, 16, 3), np.uint8)
    for picture, place, c in zip(X, corner, colour):
        y, x = 12 * (place // 2), 12 * (place % 2)
        picture[y : y + 4, x : x + 4, c] = 255
    texts = [("red", "green", "blue")[c] for c in colour]
    model = ImageCaptioner(**QUICK | {"widths": (8, 8), "max_epochs": 12}).fit(X, texts)
    assert model.score(X, texts) == 1.0
    first = model.attend(X)[:, 0]  # (n, 4, 4)
    halves = first.reshape(400, 2, 2, 2, 2).sum((2, 4)).reshape(400, 4)  # by quarter
    assert halves[np.arange(400), corner].mean() > 0.5  # a quarter by chance


def test_hard_attention_learns_too(problem):
    fitted = ImageCaptioner(**QUICK | {"attention": "hard"}).fit(*problem)
    X, captions = bars(60, seed=1)
    assert fitted.score(X, captions) > 0.8
    assert (fitted.predict(X) == np.array(fitted.predict(X))).all()  # nothing is drawn when it answers


def test_texts_of_any_kind_come_back(tmp_path):
    X, _ = bars(80)
    kinds = X[:, :2, 2:6].mean((1, 2)).argsort().argsort() * 4 // 80
    odd = np.array(["<end> <start> <unk> -1", "naïve café \x00", "", "100% {x} %s \\n 'q\" 日本語"], object)
    fitted = ImageCaptioner(**QUICK | {"max_epochs": 3, "min_count": 1}).fit(X, odd[kinds].tolist())
    back = load(fitted.save(tmp_path / "m.ganglion"))
    assert back.words_ == fitted.words_
    assert set(fitted.words_) == {word for text in odd for word in text.split()}
    assert back.predict(X) == fitted.predict(X)


def test_a_beam_finds_captions_at_least_as_probable(model):
    X, _ = bars(60, seed=3)
    x = torch.from_numpy(X)[:, None]
    memory = model.module_.look(x)
    scores = [model.module_.search(memory, steps=model.steps_, beam=beam)[1] for beam in (1, 8)]
    assert (scores[1] >= scores[0] - 1e-5).all()


def test_rare_words_are_not_said(problem):
    X, captions = problem
    rare = [["zebra " + several[0]] if i % 100 == 0 else several for i, several in enumerate(captions)]
    fitted = ImageCaptioner(**QUICK | {"min_count": 20, "max_epochs": 2}).fit(X, rare)
    assert "zebra" not in fitted.words_
    assert "zebra" not in " ".join(fitted.predict(X))


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_a_broken_run_resumed_gives_the_same_bits(attention, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 1e-9)  # after every step
    settings = QUICK | {"attention": attention, "dropout": 0.2, "augment": "crop(1)", "max_epochs": 3}
    problem, folder = bars(80), tmp_path / "run"
    whole = ImageCaptioner(**settings).fit(*problem)
    with pytest.warns(UserWarning, match="interrupted"):
        broken(ImageCaptioner(**settings, checkpoint=folder), problem)
    resumed = ImageCaptioner(**settings, checkpoint=folder, resume=True).fit(*problem)
    assert resumed.record_.plan["resumed"]
    states = (m.module_.state_dict().values() for m in (whole, resumed))
    assert all(map(torch.equal, *states))


def broken(model, problem):
    """Fit, interrupted in the second epoch."""
    counted, forward = iter(range(100)), Captioning.forward

    def stop(*args):
        if args[0].training and next(counted) == 7:
            raise KeyboardInterrupt
        return forward(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Captioning, "forward", stop)
        model.fit(*problem)


def test_pictures_of_weight_0_teach_nothing(problem):
    X, captions = problem
    wrong = [["nonsense"] if i % 2 else several for i, several in enumerate(captions)]
    settings = QUICK | {"max_epochs": 6, "validation_fraction": 0.0}
    fitted = ImageCaptioner(**settings).fit(X, wrong, np.arange(len(X)) % 2 == 0)
    assert "nonsense" not in fitted.predict(X)
    assert "nonsense" in ImageCaptioner(**settings).fit(X, wrong).predict(X)


def test_a_further_fit_goes_on(problem):
    fitted = ImageCaptioner(**QUICK | {"max_epochs": 2, "warm_start": True}).fit(*problem)
    first = fitted.history_[0]["loss"]
    assert fitted.fit(*problem).history_[0]["loss"] < 0.9 * first


@pytest.mark.parametrize(
    ("settings", "y", "error", "words"),
    [
        ({"augment": "mixup"}, None, ParameterError, "mixes pictures"),
        ({"l1": 0.1}, None, ParameterError, "ImageCaptioner has no l1"),
        ({"attention": "sharp"}, None, ParameterError, "attention"),
        ({"widths": (4, 4, 4, 4)}, None, ParameterError, "fit"),
        ({}, ["a"] * 7, DataError, "same number of rows"),
        ({}, [3] * 30, DataError, "captions are texts"),
    ],
)
def test_what_cannot_be_learned_is_refused(settings, y, error, words):
    X, captions = bars(30)
    with pytest.raises(error, match=words) as told:
        ImageCaptioner(**QUICK | settings).fit(X, captions if y is None else y)
    assert "\n" not in str(told.value)
