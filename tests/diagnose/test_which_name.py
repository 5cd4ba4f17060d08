"""Where two findings are true of a record: which goes first, and what only looks like a fault."""

import numpy as np
import pytest

from ganglion.base.record import TrainingRecord
from ganglion.diagnose import diagnose
from ganglion.diagnose.generalisation import overfitting
from ganglion.diagnose.gradients import exploding_gradients
from ganglion.diagnose.shift import internal_shift
from ganglion.diagnose.steps import plateau
from ganglion.diagnose.units import saturated_from_start
from ganglion.diagnose.view import View

OVERFLOW = {"stopped": "non_finite", "non_finite": {"step": 30, "epoch": 2, "quantity": "loss"}}


def named(record):
    return [finding.name for finding in diagnose(record)]


# the start goes before the steps --------------------------------------------------------------------------


def saturated(ratio):
    """Saturated units at the start, steps that size, and gradients that grow until the run overflows."""

    def row(at):
        found = {"update_ratio": ratio, "grad_norm": 1.0 if at["step"] < 8 else 20.0}
        return found | ({"saturated": 0.9, "activation": "Tanh"} if at["index"] == 0 else {})

    return row


def test_units_at_their_bounds_before_the_first_step_are_not_the_rates_doing(change):
    record = change.layers(saturated(1e-3), scores=change.scored(0.5, 0.5).scores, **OVERFLOW)
    assert named(record)[:2] == ["saturated_units", "non_finite_step"]


def test_units_that_the_first_step_threw_to_their_bounds_are(change):
    record = change.layers(saturated(0.6), scores=change.scored(0.5, 0.5).scores, **OVERFLOW)
    assert saturated_from_start(View(record)) is None
    assert named(record)[0] == "lr_too_high"


@pytest.mark.parametrize(
    ("norm", "overflows", "fires"), [(29, True, False), (31, True, True), (31, False, False)]
)
def test_a_steep_start_that_overflows_in_its_first_epoch_explodes(change, norm, overflows, fires):
    parts = {**OVERFLOW, "history": []} if overflows else {}
    record = change.layers(lambda row: {"grad_norm": norm if row["step"] == 1 else 1.0}, **parts)
    assert (exploding_gradients(View(record)) is not None) == fires


# bias and variance ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "held", "first"), [(0.6, 0.45, "high_bias"), (0.75, 0.45, "high_variance")]
)
def test_the_larger_part_of_what_is_missing_goes_first(change, train, held, first):
    # the linear model of the record reaches 0.88: 0.28 against 0.15, and 0.13 against 0.3
    keys = ("n_train", "train_score", "val_score")
    curve = [dict(zip(keys, p)) for p in ((100, 0.9, 0.40), (200, train, held), (400, train, held))]
    record = change(curve=curve, data={"n_curve": 400}, scores=change.scored(train, held).scores)
    found = named(record)
    assert found[0] == first
    assert not {"high_bias", "high_variance"} <= set(found)


# what only looks like a fault -----------------------------------------------------------------------------


def moving(last, size):
    """Inputs of the third layer that move by 5 spreads, by ``last`` at the end, and grow ``size``-fold each time."""
    steps = [1, 2, 4, 8, 40, 80, 200]

    def row(at):
        if at["index"] != 2:
            return {"input_shift": 0.1, "input_mean": 0.0, "input_std": 1.0}
        k = steps.index(at["step"])
        return {"input_shift": last if at["step"] == 200 else 5.0, "input_mean": size**k, "input_std": 0.0}

    return row


@pytest.mark.parametrize(
    ("last", "size", "fires"),
    [
        (5.0, 2.0, True),
        (5.0, 0.5, True),
        (0.5, 2.0, False),  # what learning moves comes to rest
        (5.0, 1.2, False),  # rows that have become alike: many tiny spreads
    ],
)
def test_what_moves_to_the_end_and_in_its_size_is_a_shift(change, last, size, fires):
    record = change.layers(moving(last, size), scores=change.scored(0.6, 0.6).scores)
    assert (internal_shift(View(record)) is not None) == fires


@pytest.mark.parametrize(
    ("best", "early", "gap", "harmful"),
    [
        (None, False, 0.24, False), (None, False, 0.26, True), (None, True, 0.29, False), (None, True, 0.31, True),
        (4, False, 0.39, False), (4, False, 0.41, True),
    ],
)  # fmt: skip
def test_a_gap_counts_by_what_guards_the_fit(change, best, early, gap, harmful):
    record = change.scored(0.95, 0.95 - gap, settings={"early_stopping": early}, data={"n_validation": 2000})
    record.best_epoch, record.baselines = best, {}
    assert (overfitting(View(record)).severity == "warning") == harmful


def test_a_guess_explains_nothing_of_the_rows_it_was_taken_from(change):
    # on held-out rows the mean may have an R^2 of -0.3; that training rows have 0 is no progress
    base = {"dummy": {"score": -0.3, "loss": 1.0}, "kernel": {"score": 0.8}}
    record = change.rows(
        lambda i, row: {"loss": 1.0, "val_loss": 1.0},
        task="regression",
        scores=change.scored(0.0, -0.3).scores,
    )
    record.baselines, record.data = base, {"n_train": 400, "n_validation": 40}
    assert plateau(View(record)) is not None


# the standard error of R^2 --------------------------------------------------------------------------------


@pytest.mark.parametrize("r2", [0.3, 0.6, 0.9])
def test_the_error_of_a_held_out_r2_is_what_draws_show(r2):
    # an independent source: the scores of 4,000 samples of 60 rows, whose prediction explains r2 of the target
    rng = np.random.default_rng(0)
    prediction = np.sqrt(r2) * rng.normal(size=(4000, 60))
    y = prediction + np.sqrt(1 - r2) * rng.normal(size=prediction.shape)
    scores = 1 - ((y - prediction) ** 2).sum(1) / ((y - y.mean(1, keepdims=True)) ** 2).sum(1)
    view = View(TrainingRecord(task="regression", data={"n_validation": 60}))
    assert view.noise(r2) == pytest.approx(scores.std(), rel=0.15)


# a network without activations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "linear", "first"),
    [(None, 0.52, "underfitting"), ("ReLU", 0.52, "plateau"), (None, 0.7, "plateau")],
)
def test_a_linear_network_where_nothing_is_linear_is_stiff_not_stuck(change, activation, linear, first):
    record = change.rows(
        lambda i, row: {"loss": 0.693, "val_loss": 0.693, "val_score": 0.5}, scores=change.scored(0.5, 0.5).scores,
        baselines={"linear": {"score": linear}, "kernel": {"score": 0.95}},
    )  # fmt: skip
    for row in record.layers:
        row["activation"] = activation if row["index"] < 3 else None
    found = diagnose(record)
    assert found[0].name == first
    if first == "underfitting":
        assert found[0].remedy.action == "change_activation"


def test_gradients_that_vanish_before_the_first_step_are_not_the_rates_doing(change):
    def row(at):
        return {"grad_norm": 1e-4 if at["index"] == 0 else 1.0, "update_ratio": 0.6}

    assert named(change.layers(row, scores=change.scored(0.5, 0.5).scores))[0] == "vanishing_gradients"
