"""Random settings over all fields at once: a fit that keeps every promise, or a refusal in one sentence."""

import json
import pickle
import random
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import fields_of
from ganglion.base.record import TrainingRecord
from ganglion.data.interactions import INTERACTIONS
from ganglion.data.select import SELECTIONS
from ganglion.diagnose import diagnose
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.estimators.persist import load
from ganglion.nn.activations import ACTIVATIONS
from ganglion.nn.init import INITS
from ganglion.nn.norms import NORMS
from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES
from ganglion.optim.average import AVERAGES
from ganglion.optim.optimizers import optimizer_names
from ganglion.optim.schedules import SCHEDULES
from ganglion.train import checkpoint, loop

# --- what is drawn ------------------------------------------------------------------------------------------

# names with numbers in brackets, besides every name alone
BRACKETS = {
    "activation": ["leaky_relu(0.3)", "leaky_relu(slope=-1)", "prelu(0)", "elu(0.5)", "maxout(3)", "maxout(pieces=2)"],
    "init": ["normal(0.1)", "uniform(0.2)", "orthogonal(2)", "sparse(0.5)", "sparse(share=0)", "lsuv(1.5)"],
    "norm": ["group(2)", "group(groups=4)", "group(3)"],
    "optimizer": ["adam(0.99, amsgrad=True)", "adamw(beta2=0.999)", "sgd(nesterov=True)", "rmsprop(0.9, centered=True)",
                  "lbfgs(5, 3)", "lbfgs(line_search=False)", "muon(rounds=2)", "sam(base='muon')",
                  "sam(0.1, 'adam(0.99)')", "lookahead(2, 0.8)", "lookahead(3, base='lion')",
                  "sam+nadam(rho=0.01)", "lookahead+radam(2)"],
    "schedule": ["step(2, 0.5)", "multi_step(1, 0.5)", "cosine(0.1)", "cosine_restarts(2)", "flat_cosine(0.3)",
                 "one_cycle(0.2, 0.1, 0.01)", "cyclic(2, low=0.3)", "warm_up(0.2, 'linear')", "plateau(0.5, 1)",
                 "warm_up(0.3, then='plateau(wait=1)')", "polynomial(0.5)", "exponential(0.2)", "linear(1)"],
    "average": ["ema(0.5)", "ema(0)", "swa(0)", "swa(0.9)"],
    "interactions": ["products(2)", "polynomial(3)", "squares(1)", "ratios(2)", "chosen('a * b', 'a / b')", "chosen()"],
    "select": ["l1(2)", "l1(penalty=0.05)", "mutual_information(1)", "permutation(2)"],
    "loss": ["focal(0.5)", "focal(0)", "huber(0.3)", "quantile(0.9)", "gaussian_nll(0)", "gaussian_nll(1)",
             "cross_entropy(0.2)", "cross_entropy(smoothing=0.1)", "binary_cross_entropy(0.1)"],
}  # fmt: skip
NAMES = {
    "activation": list(ACTIVATIONS),
    "init": ["auto", "zero_residual", *INITS],
    "norm": [None, *NORMS],
    "optimizer": optimizer_names(),
    "schedule": list(SCHEDULES),
    "average": [None, *AVERAGES],
    "interactions": [None, *INTERACTIONS],
    "select": [None, *SELECTIONS],
}
OTHERS = {
    "max_epochs": [1, 2, 3],
    "batch_size": ["auto", "full", 1, 2, 7, 32, 1000],
    "lr": [1e-6, 1e-3, 1e-2, 0.5],
    "momentum": [0.0, 0.5, 0.99],
    "weight_decay": [0.0, 1e-2, 1.0],
    "l1": [0.0, 1e-3, 10.0],
    "max_norm": [None, 1e-3, 1.0],
    "activity": [0.0, 0.1],
    "clip_norm": [None, 1e-3, 1.0],
    "clip_value": [None, 0.01],
    "clip_adaptive": [None, 0.01],
    "scale_norm": [None, 1.0],
    "accumulate": [1, 3],
    "early_stopping": [True, False],
    "patience": [1, 10],
    "validation_fraction": [0.0, 0.1, 0.5, 0.9],
    "precision": ["auto", "float32", "float64", "bf16"],
    "device": ["auto", "cpu"],
    "random_state": [0, 1, 12345],
    "watch": ["off", "default", "full"],
    "preprocess": ["auto", "none"],
    "impute": ["mean", "median", "most_frequent", "knn", "iterative"],
    "encode": ["auto", "onehot", "ordinal", "embedding", "target"],
    "scale": ["auto", "none", "standard", "robust", "minmax", "quantile"],
    "dates": ["parts", "cyclic", "elapsed"],
    "hidden_layer_sizes": [(), 1, (4,), (8, 8), (6, 6, 6), (5, 8)],
    "bins": [0, 1, 4, 32],
    "residual": [False, True],
    "dropout": [0.0, 0.1, 0.9],
    "dropout_kind": ["units", "alpha"],
    "drop_path": [0.0, 0.5],
    "noise": [0.0, 0.1, 10.0],
    "class_weight": [None, "balanced", {0: 2.0}],
    "label_smoothing": [0.0, 0.1],
}
NOT_DRAWN = {
    "checkpoint",
    "resume",
    "warm_start",
    "verbose",
    "module",
    "time_limit",
}  # tried on their own, or a clock
TASKS = (
    "binary",
    "multiclass",
    "regression",
    "two targets",
    "raw classes",
    "raw numbers",
    "tiny classes",
    "tiny numbers",
)


def pool(cls, name):
    """The values from which a field is drawn."""
    if name == "loss":
        losses = CLASS_LOSSES if cls is MLPClassifier else VALUE_LOSSES
        return [*losses, *(text for text in BRACKETS["loss"] if text.split("(")[0] in losses)]
    return NAMES[name] + BRACKETS[name] if name in NAMES else OTHERS[name]


def draw(seed):
    """An estimator, settings of which a share (drawn too) is not left at its default, a task, whether with weights."""
    rng = random.Random(seed)
    task = rng.choice(TASKS)
    cls = (
        MLPRegressor
        if task in ("regression", "two targets", "raw numbers", "tiny numbers")
        else MLPClassifier
    )
    share = rng.choice([0.1, 0.3, 0.6])
    names = [name for name in fields_of(cls) if name not in NOT_DRAWN]
    settings = {name: rng.choice(pool(cls, name)) for name in names if rng.random() < share}
    settings.setdefault("max_epochs", 2)
    settings.setdefault("hidden_layer_sizes", (6, 6))
    if rng.random() < 0.8:
        make_peace(settings)
    return cls, settings, task, rng.random() < 0.3


def make_peace(settings):
    """Take out what would be refused, so that most draws train."""
    get = settings.get
    if not get("residual") or settings["hidden_layer_sizes"] not in ((8, 8), (6, 6, 6)):
        settings.pop("drop_path", None)
        settings.pop("residual", None)
    if get("init") == "zero_residual" and not get("residual"):
        settings.pop("init")
    if str(get("norm")).startswith(("group", "instance")):
        settings.update(norm="group(2)", hidden_layer_sizes=(4, 8), residual=False, drop_path=0.0)
    if get("preprocess") == "none":
        for name in ("interactions", "select", "dates", "encode"):
            settings.pop(name, None)
    if get("label_smoothing"):
        settings.pop("loss", None)
    if get("clip_norm"):
        settings.pop("scale_norm", None)
    if "lbfgs" in get("optimizer", ""):
        settings["weight_decay"] = 0.0


def data(task, seed, weighted):
    """Rows, target and perhaps weights of a task."""
    rng = np.random.default_rng(seed)
    n = 9 if task.startswith("tiny") else 60
    X = rng.normal(size=(n, 4))
    score = X[:, 0] - X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=n)
    y = {
        "multiclass": np.digitize(score, [-0.5, 0.5]),
        "two targets": np.column_stack([score, X[:, 3]]),
    }.get(task)
    if y is None:
        y = (score > np.median(score)).astype(int) if "classes" in task or task == "binary" else score
    if seed % 3 == 0 and y.dtype.kind == "f":
        y = np.abs(y).round()  # counts
    weight = rng.integers(0, 3, n).astype(float) if weighted else None
    if weighted:
        weight[:: max(n // 4, 1)] = 1.0
    return raw(X, rng) if task.startswith("raw") else pd.DataFrame(X, columns=list("abcd")), y, weight


def raw(X, rng):
    """A frame with gaps, words, truth values, dates, a constant column and an empty one."""
    n = len(X)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    words = np.array(["x", "y", "z"], dtype=object)[rng.integers(3, size=n)]
    return pd.DataFrame(
        {
            "a": np.where(rng.random(n) < 0.2, np.nan, X[:, 0]),
            "b": (X[:, 1] * 3).round(),
            "word": np.where(rng.random(n) < 0.1, None, words),
            "many": [f"street {i}" for i in rng.integers(30, size=n)],
            "yes": X[:, 2] > 0,
            "day": days,
            "same": 1.0,
            "empty": np.nan,
        }
    )


# --- what every fit owes ------------------------------------------------------------------------------------

DOCUMENTED = re.compile(
    "init=|activation='threshold'|dropout_kind='alpha'|lbfgs compares|training met numbers that are not finite"
)


def refused(attempt, monkeypatch):
    """The one sentence by which an attempt was refused before its first step, or None if it was not."""
    steps, set_rate = [], loop.set_rate
    with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        patch.setattr(loop, "set_rate", lambda *args: (steps.append(1), set_rate(*args))[1])
        try:
            attempt()
        except (ParameterError, DataError) as error:
            if steps:
                pytest.fail(f"refused after {len(steps)} steps: {error}")
            return sentence(error)
        finally:
            for one in heard:
                assert one.category in (UserWarning, ConvergenceWarning), one
                assert DOCUMENTED.match(str(one.message)), one
    return None


def sentence(error):
    """The text of an error, which is one sentence."""
    text = str(error)
    assert 20 < len(text) < 1000, text
    assert "\n" not in text
    return text


def told(model, X):
    """Everything that an estimator tells about rows."""
    methods = ("predict", "predict_proba", "decision_function")
    return [np.asarray(getattr(model, m)(X)) for m in methods if hasattr(model, m)]


def same(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def finite(answers):
    return all(np.isfinite(a).all() for a in answers if a.dtype.kind == "f")


def check(seed, folder, monkeypatch):
    """Fit the settings of a seed and hold them to every promise; what was refused, or None."""
    cls, settings, task, weighted = draw(seed)
    X, y, weight = data(task, seed, weighted)
    model = cls(**settings)
    with torch.random.fork_rng():
        if text := refused(lambda: model.fit(X, y, sample_weight=weight), monkeypatch):
            return text
        answers = told(model, X)
        assert finite(answers)
        keeps_bits(model, X, y, weight, answers, folder)
        tells_of_itself(model)
        goes_on(model, X, y, weight, monkeypatch)
    return None


def keeps_bits(model, X, y, weight, answers, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = clone(model).fit(X, y, sample_weight=weight)
    assert same(told(again, X), answers), "a clone learned something else"
    assert same(told(pickle.loads(pickle.dumps(model)), X), answers), "a pickle answers otherwise"
    back = load(model.save(folder / "m.ganglion"))
    assert same(told(back, X), answers), "a saved model answers otherwise"
    assert back.summary() == model.summary()
    own = {k: v for k, v in model.get_params().items() if k not in NOT_DRAWN}
    assert {k: v for k, v in back.get_params().items() if k in own} == own
    assert clone(model).set_params(**own).get_params() == clone(model).get_params()


def tells_of_itself(model):
    record = model.record_.to_dict()
    text = json.dumps(record)
    assert json.dumps(TrainingRecord.from_dict(json.loads(text)).to_dict()) == text
    assert [f.name for f in diagnose(model.record_)] == [f.name for f in model.diagnosis_]
    for finding in model.diagnosis_:
        clone(model).set_params(**model.remedy(finding))._check()
    assert type(model).__name__ in model.summary()
    repr(model)


def goes_on(model, X, y, weight, monkeypatch):
    """More rows and a warm start: finite answers, or a refusal."""
    more = pickle.loads(pickle.dumps(model))
    if not refused(lambda: more.partial_fit(X, y, sample_weight=weight), monkeypatch):
        assert finite(told(more, X))
    warm = pickle.loads(pickle.dumps(model)).set_params(warm_start=True)
    assert not refused(lambda: warm.fit(X, y, sample_weight=weight), monkeypatch)
    assert finite(told(warm, X))


# --- the draws ----------------------------------------------------------------------------------------------


def run_all(seeds, folder, monkeypatch):
    """How many of the draws trained; every promise is checked on the way."""
    trained = 0
    for seed in seeds:
        try:
            trained += check(seed, folder, monkeypatch) is None
        except BaseException as error:
            error.add_note(f"seed {seed}: {draw(seed)}")
            raise
    return trained


def test_a_sample_of_combinations(tmp_path, monkeypatch):
    assert run_all(range(30), tmp_path, monkeypatch) >= 15


@pytest.mark.slow
def test_hundreds_of_combinations(tmp_path, monkeypatch):
    assert run_all(range(100, 600), tmp_path, monkeypatch) >= 250


def test_every_value_is_drawn_and_every_field():
    for cls in (MLPClassifier, MLPRegressor):
        own = set(fields_of(cls)) - NOT_DRAWN
        assert own <= {*NAMES, *OTHERS, "loss"}
        for name in own:
            for value in pool(cls, name):
                fields_of(cls)[name].check(value, "it")


class Killed(Exception):
    """The process dies here."""


def killed_and_resumed(seed, folder, monkeypatch):
    """The answers of a run that dies after some saved checkpoint and is continued, and of one left alone."""
    cls, settings, task, weighted = draw(seed)
    settings["max_epochs"] = 3
    X, y, weight = data(task, seed, weighted)
    save, saved = checkpoint.Checkpoint.save, []

    def deadly(self, *args):
        save(self, *args)
        saved.append(1)
        if len(saved) == 1 + seed % 2:
            raise Killed

    place = {"checkpoint": str(folder / str(seed)), "resume": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = cls(**settings).fit(X, y, sample_weight=weight)
        if whole.record_.stopped == "non_finite":
            return [], []
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(checkpoint, "SAVE_EVERY", 1e-9)
            patch.setattr(checkpoint.Checkpoint, "save", deadly)
            cls(**settings, **place).fit(X, y, sample_weight=weight)
        back = cls(**settings, **place).fit(X, y, sample_weight=weight)
    assert "resumed" in back.record_.plan
    return told(back, X), told(whole, X)


def run_killed(seeds, folder, monkeypatch):
    for seed in seeds:
        try:
            assert same(*killed_and_resumed(seed, folder, monkeypatch))
        except (ParameterError, DataError):
            continue
        except BaseException as error:
            error.add_note(f"seed {seed}: {draw(seed)}")
            raise


def test_killed_and_resumed_is_the_same(tmp_path, monkeypatch):
    run_killed(range(12), tmp_path, monkeypatch)


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_hundreds_of_times(tmp_path, monkeypatch):
    run_killed(range(1000, 1200), tmp_path, monkeypatch)
