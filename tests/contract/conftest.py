"""What the suites hand to every estimator: each class by itself, a quick one, and a toy problem of its own kind."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import is_classifier, is_regressor

from ganglion.base.registry import lookup, names, register_module
from ganglion.estimators.pictures.captioner import ImageCaptioner
from ganglion.estimators.pictures.detector import ObjectDetector
from ganglion.estimators.pictures.network import PictureNetwork
from ganglion.estimators.pictures.unet import UNetSegmenter
from ganglion.estimators.sequences.corpus_learner import CorpusLearner
from ganglion.estimators.sequences.forecaster import Forecaster
from ganglion.estimators.sequences.language import LanguageModel
from ganglion.estimators.sequences.masked import MaskedLanguageModel
from ganglion.estimators.sequences.series import SeriesNetwork
from ganglion.estimators.sequences.speech import SpeechRecognizer
from ganglion.estimators.sequences.tagger import TokenTagger
from ganglion.estimators.sequences.text import TextClassifier
from ganglion.estimators.sequences.translator import Translator, coded
from ganglion.metrics.detection import Detections

QUICK = {"max_epochs": 12, "hidden_layer_sizes": (24,), "batch_size": 32, "dropout": 0.1, "widths":
         (8,), "depth": 8, "width": 4, "backbone": "EdgesAndCorners", "types": 2, "decoder": (16,),
         "augment": "crop(1)", "stride": 2, "units": 32, "score_threshold": 0.0,
         "layers": 1, "network": "linear", "horizon": 4, "lookback": 12,
         "mask_bands": 0, "noise": 0.0, "speed": 0.0}  # fmt: skip


@register_module
def EdgesAndCorners(shape):
    """A small network without a head, the same each time it is made."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Conv2d(shape[0], 16, 3, padding=1), torch.nn.ReLU())


@dataclass
class Problem:
    """Inputs and targets that an estimator can learn in a moment.

    ``guess`` is the score of knowing nothing, ``rounding`` how much an answer may depend on the rows beside,
    ``apart(codes)`` gives inputs from which classes are easily told.
    """

    X: Any
    y: Any
    guess: float
    n_features: int
    rounding: float
    apart: Any

    def some(self, rows):
        """A part of the inputs."""
        return self.X.iloc[rows] if hasattr(self.X, "iloc") else self.X[rows]


@pytest.fixture(params=names("estimator"))
def cls(request):
    """Every registered estimator."""
    return lookup("estimator", request.param)


@pytest.fixture
def quick(cls):
    """A function that makes a quick one; settings that it does not have are left out."""

    def make(**settings):
        known = cls().get_params()
        allowed = {k: v for k, v in {**QUICK, **settings}.items() if k in known}
        if cls.__name__ == "Perceptron":
            allowed.pop("batch_size", None)
        return cls(**allowed)

    return make


@pytest.fixture
def table():
    """Numbers with gaps, words of few and of many kinds, truth values, dates (300 rows)."""
    rng, n = np.random.default_rng(0), 300
    words = np.array(["red", "green", "blue"], dtype=object)[rng.integers(3, size=n)]
    words[::17] = None
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(50, 20, n)),
            "count": rng.integers(0, 9, n),
            "colour": words,
            "street": np.array([f"street {i}" for i in range(40)], dtype=object)[rng.integers(40, size=n)],
            "new": rng.random(n) < 0.5,
            "day": [datetime(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 700, n)],
        }
    )


def table_problem(cls, table):
    """A table that tells yes from no, or a number."""
    score = 2.0 * table["new"] + (table["colour"] == "red") + table["count"] / 8
    y = np.where(score > 2.0, "yes", "no") if is_classifier(cls()) else score.to_numpy(float)
    guess = max(np.unique(y, return_counts=True)[1]) / len(y) if is_classifier(cls()) else 0.0

    def apart(codes):
        noise = np.random.default_rng(0).normal(size=(len(codes), 3))
        return noise + 6 * codes[:, None] * np.array([1, -1, 0])

    return Problem(table, y, guess, table.shape[1], 1e-9, apart)


def picture_problem(cls, table):
    """Pictures of 8 x 8 with a bright spot, or without."""

    def apart(codes):
        X = np.random.default_rng(0).integers(0, 60, (len(codes), 8, 8), dtype=np.uint8)
        X[:, 2:6, 2:6] += (90 * codes[:, None, None]).astype(np.uint8)
        return X

    codes = np.random.default_rng(1).integers(2, size=300)
    y = np.array(["no", "yes"])[codes]
    return Problem(apart(codes), y, max(codes.mean(), 1 - codes.mean()), 64, 1e-5, apart)


def mask_problem(cls, table):
    """Pictures of 12 x 12 with a bright disc somewhere, whose pixels are to be named."""
    rng = np.random.default_rng(0)
    down, right = rng.uniform(2, 10, (2, 100, 1, 1))
    y = (np.arange(12)[:, None] - down) ** 2 + (np.arange(12) - right) ** 2 < 10
    X = (rng.integers(0, 60, y.shape) + 90 * y).astype(np.uint8)
    return Problem(X, y, 0.4, 144, 1e-5, None)


def object_problem(cls, table):
    """Pictures of 16 x 16 with a bright square somewhere, every tenth with none."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 60, (100, 16, 16), dtype=np.uint8), []
    for i, (down, right) in enumerate(rng.integers(0, 11, (100, 2)).tolist()):
        there = i % 10 > 0
        X[i, down : down + 6, right : right + 6] += 150 * there
        box = [float(right), float(down), right + 6.0, down + 6.0]
        y.append({"boxes": [box] * there, "labels": ["square"] * there})
    return Problem(X, np.array(y), 0.5, 256, 1e-3, None)


def caption_problem(cls, table):
    """Pictures of 8 x 8 with a bright or dim spot on the left or on the right, and what to say of them."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 40, (200, 8, 8), dtype=np.uint8), []
    for i, (right, bright) in enumerate(rng.integers(0, 2, (200, 2)).tolist()):
        X[i, 2:6, 5 * right : 5 * right + 3] += np.uint8(200 if bright else 80)
        y.append(f"a {('dim', 'bright')[bright]} spot on the {('left', 'right')[right]}")
    return Problem(X, np.array(y), 0.4, 64, 1e-5, None)


def series_problem(cls, table):
    """Series of 4 to 9 places and two channels; what counts is how high the first one rises."""
    rng = np.random.default_rng(0)

    def made(heights):
        found = np.empty(len(heights), dtype=object)
        for i, height in enumerate(heights):
            found[i] = rng.normal(0, 0.3, (rng.integers(4, 10), 2))
            found[i][rng.integers(len(found[i])), 0] += height
        return found

    heights = rng.integers(2, size=200) * 3.0
    classes = is_classifier(cls())
    y = np.where(heights > 0, "high", "low") if classes else heights
    return Problem(made(heights), y, 0.6 if classes else 0.0, 2, 1e-5, lambda codes: made(4.0 * codes))


def forecast_problem(cls, table):
    """Sixty series of 40 times and two targets, waves of various lengths."""
    rng = np.random.default_rng(0)
    turns = rng.uniform(0.3, 1.0, (60, 1, 2)) * np.arange(40)[:, None] + rng.uniform(0, 6, (60, 1, 2))
    X = np.sin(turns) + rng.normal(0, 0.05, turns.shape)
    return Problem(X, np.zeros(60), 0.0, 2, 1e-5, None)


def language_problem(cls, table):
    """Prompts of one word, and the two that are to stand behind, of which the first follows from the prompt."""
    rng = np.random.default_rng(0)
    after = {"cats": "eat", "dogs": "run", "birds": "fly"}
    X = rng.choice(list(after), 60)
    y = np.array([f" {after[word]} {rng.choice(['now', 'often'])}" for word in X], dtype=object)
    return Problem(X.astype(object), y, -2.5, 1, 1e-4, None)


def gap_problem(cls, table):
    """Texts in which any letter tells all others; equal chances of four letters and four signs are to be beaten."""
    X = np.random.default_rng(0).choice(["abcd" * 6, "bcda" * 6, "cdab" * 6, "dabc" * 6], 60)
    return Problem(X.astype(object), X, -np.log(8), 1, 1e-4, None)


def speech_problem(cls, table):
    """Recordings of one or two tones, low or high, with silence behind each, and their words."""
    rng = np.random.default_rng(0)
    pitch, X, y = {"low": 0.3, "high": 1.5}, np.empty(120, dtype=object), []
    for i in range(len(X)):
        words = rng.choice(list(pitch), rng.integers(1, 3)).tolist()
        tones = [np.sin(np.arange(rng.integers(600, 900)) * pitch[word]) / 2 for word in words]
        wave = np.concatenate([np.pad(tone, (0, 400)) for tone in tones])
        X[i] = wave + rng.normal(0, 0.003, len(wave))
        y.append(" ".join(words))
    return Problem(X, np.array(y), 0.4, 1, 1e-3, None)


def text_problem(cls, table):
    """Messages of words that are frequent in one class and rare in the other."""
    rng = np.random.default_rng(0)
    words = [["see", "you", "at", "home"], ["win", "cash", "free", "now"]]

    def apart(codes):
        made = [" ".join(rng.choice(words[min(k, 1)], 5)) + f" {k}" for k in codes]
        return np.array(made, dtype=object)

    codes = rng.integers(2, size=200)
    return Problem(apart(codes), np.array(["no", "yes"])[codes], 0.6, 1, 1e-5, apart)


def tag_problem(cls, table):
    """Sentences of four words with a name in each, half of them of two words."""
    rng = np.random.default_rng(0)
    X, y = [], []
    for _ in range(120):
        one, two = rng.choice(["Ann", "Bob", "Cid", "Dora"], 2)
        long = rng.random() < 0.5
        X.append(f"{one} {two} walks home" if long else f"today {one} walks home")
        y.append(["B-PER", "I-PER", "O", "O"] if long else ["O", "B-PER", "O", "O"])
    return Problem(np.array(X, dtype=object), np.array(y), 0.6, 1, 1e-5, None)


def translation_problem(cls, table):
    """Words for words, in the same order."""
    rng = np.random.default_rng(0)
    words = {"rot": "red", "blau": "blue"}
    X = [" ".join(rng.choice(list(words), 5)) for _ in range(400)]
    y = [" ".join(words[word] for word in text.split()) for text in X]
    return Problem(np.array(X, dtype=object), np.array(y), 0.1, 1, 1e-4, None)


# the first that an estimator is a kind of makes its problem
PROBLEMS = {
    ObjectDetector: object_problem,
    ImageCaptioner: caption_problem,
    UNetSegmenter: mask_problem,
    PictureNetwork: picture_problem,
    SeriesNetwork: series_problem,
    MaskedLanguageModel: gap_problem,
    LanguageModel: language_problem,
    Forecaster: forecast_problem,
    SpeechRecognizer: speech_problem,
    TextClassifier: text_problem,
    Translator: translation_problem,
    TokenTagger: tag_problem,
    object: table_problem,
}


@pytest.fixture
def problem(cls, table):
    """A toy problem for the estimator."""
    make = next(make for kind, make in PROBLEMS.items() if issubclass(cls, kind))
    if not is_classifier(cls()) and not is_regressor(cls()) and make is table_problem:
        raise NotImplementedError(f"give the contract suites a toy problem for {cls.__name__}")
    return make(cls, table)


@pytest.fixture
def X(problem):
    """The problem's inputs."""
    return problem.X


@pytest.fixture
def y(problem):
    """The problem's targets."""
    return problem.y


@pytest.fixture
def entering():
    """A function from a fitted estimator and inputs to the tensor that its module takes."""

    def enter(model, X):
        if isinstance(model, PictureNetwork):
            return model._pixels(model._read_pictures(X, reset=False))
        if isinstance(model, SeriesNetwork | TextClassifier):
            return model._inputs(X, torch.float32)
        if isinstance(model, SpeechRecognizer):
            return model._asked(X).padded()
        if isinstance(model, Forecaster):
            return model._standardised(X[:, -model.lookback_ :])
        if isinstance(model, TokenTagger):
            return model._read(X)[1].padded()
        if isinstance(model, Translator):
            return coded(model.tokenizer_, list(X), torch.device("cpu")).padded()
        if isinstance(model, CorpusLearner):
            return torch.from_numpy(model._joined(list(X)).astype(np.int64))[None]
        return torch.as_tensor(model._matrix(X)).float()

    return enter


def as_rows(answer):
    """An answer as an array with a row for each example; of objects that were found, the first."""
    if isinstance(answer, list) and isinstance(answer[0], Detections):
        rows = [[*one.boxes[0].tolist(), one.labels[0], one.scores[0].item()] for one in answer]
        return np.array(rows, dtype=object)
    return np.asarray(answer)


@pytest.fixture
def told():
    """A function from a fitted estimator and rows to everything that it tells about them, as one array."""

    def tell(estimator, X):
        methods = ("predict", "predict_proba", "decision_function", "transform", "score_samples", "attend")
        parts = [as_rows(getattr(estimator, m)(X)) for m in methods if hasattr(estimator, m)]
        assert parts, "it tells nothing"
        return np.concatenate([p.reshape(len(p), -1).astype(object) for p in parts], 1)

    return tell
