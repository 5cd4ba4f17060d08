"""Averages of the weights: their numbers by hand, and that they answer while the run goes on untouched."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.average import AVERAGES, average_named, ema, swa
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.run import Keep


class Diary(Hook):
    """The run's own weights and statistics, after every step and after every epoch."""

    def __init__(self):
        self.steps, self.epochs = [], []

    def step(self, run):
        self.steps.append(snapshot(run.objective.model))

    def epoch(self, run, row):
        self.epochs.append(snapshot(run.objective.model))


def snapshot(model):
    return np.concatenate([v.numpy().ravel() for v in model.state_dict().values() if v.is_floating_point()])


def train(average, epochs=8, keep=None, seen=None):
    """A small network with batch normalisation; its end, the run and its diary."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = torch.randn(30, 3, dtype=torch.float64)
    diary = Diary()

    def validate():
        seen.append(snapshot(net))
        return {"val_loss": float(len(seen) != 5)}  # the fifth is the best

    run = fit(
        Supervised(net, loss_named("squared_error")),
        ResidentBatches({"x": x, "y": x[:, :1]}, 10),
        optimizers={"train": torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)},
        epochs=epochs,
        average=average,
        validate=None if seen is None else validate,
        keep=keep,
        hooks=(diary,),
    )
    return snapshot(net), run, diary


def ema_by_hand(pages, decay):
    mean = pages[0]
    for n, page in enumerate(pages[1:], 1):
        d = min(decay, n / (n + 9))
        mean = d * mean + (1 - d) * page
    return mean


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_ema_by_hand(decay):
    """Weights and running statistics; 0.999 is never reached in 24 steps."""
    end, _, diary = train(ema(decay))
    np.testing.assert_allclose(end, ema_by_hand(diary.steps, decay), rtol=0, atol=1e-13)
    assert np.abs(end - diary.steps[-1]).max() > 1e-3


@pytest.mark.parametrize(("start", "first"), [(0.0, 1), (0.5, 4), (0.75, 6), (0.95, 8)])
def test_swa_is_the_mean_of_the_last_epochs(start, first):
    end, _, diary = train(swa(start))
    np.testing.assert_allclose(end, np.mean(diary.epochs[first - 1 :], axis=0), rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", [ema(0.9), swa(0.5)])
def test_the_run_itself_does_not_notice(rule):
    _, _, with_it = train(rule, seen=[])
    _, _, without = train(None, seen=[])
    assert np.array_equal(with_it.steps, without.steps)
    assert np.array_equal(with_it.epochs, without.epochs)


def test_the_average_is_validated_and_kept():
    seen = []
    end, run, diary = train(ema(0.9), keep=Keep(), seen=seen)
    for epoch, at in enumerate(seen, 1):
        np.testing.assert_allclose(at, ema_by_hand(diary.steps[: 3 * epoch], 0.9), rtol=0, atol=1e-13)
    assert run.keep.best_epoch == 5
    assert np.array_equal(end, seen[4])


def test_before_its_start_the_weights_stand_for_themselves():
    seen = []
    _, _, diary = train(swa(0.75), seen=seen)
    assert np.array_equal(seen[:5], diary.epochs[:5])
    assert not np.array_equal(seen[6], diary.epochs[6])


def test_an_average_steadies_a_rate_that_is_too_high():
    """Around the optimum of a noisy problem the mean is nearer to it than where the run stands."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + rng.normal(size=300)
    wide = np.c_[X, np.ones(300)]
    best = wide @ np.linalg.lstsq(wide, y, rcond=None)[0]
    settings = {"optimizer": "sgd", "momentum": 0.0, "lr": 0.05, "schedule": "constant", "weight_decay": 0.0}
    settings |= {"hidden_layer_sizes": (), "preprocess": "none", "batch_size": 4, "max_epochs": 10}
    far = {
        average: np.square(
            MLPRegressor(average=average, validation_fraction=0, **settings).fit(X, y).predict(X) - best
        ).mean()
        for average in (None, "ema(0.99)", "swa(0.5)")
    }
    assert far[None] > 3 * max(far["ema(0.99)"], far["swa(0.5)"])


@pytest.mark.parametrize("average", AVERAGES)
def test_estimators_take_it_by_name(average):
    """Also where all weights lie in one buffer; the course of the losses is the one without it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = (X[:, 0] > X[:, 1]).astype(int)
    settings = {"max_epochs": 6, "hidden_layer_sizes": (8,), "average": average, "lr": 1e-2}
    model = MLPClassifier(**settings).fit(X, y)
    plain = MLPClassifier(**{**settings, "average": None}).fit(X, y)
    assert model.record_.plan["backward"] == "by hand"
    assert [r["loss"] for r in model.history_] == [r["loss"] for r in plain.history_]
    assert not np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    again = model.set_params(warm_start=True).fit(X, y)
    assert np.isfinite(again.predict_proba(X)).all()


def test_a_wrong_name_or_number_is_one_sentence():
    with pytest.raises(ParameterError, match=r"average 'emma' is not known.*did you mean 'ema'"):
        average_named("emma")
    with pytest.raises(ParameterError, match=r"ema: decay must be a number at least 0 and below 1, got 1\.5"):
        average_named("ema(1.5)")
