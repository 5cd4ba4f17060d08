"""Schedules as functions of progress and history, by hand, against torch, and through the loop."""

import math

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.schedules import (
    SCHEDULES,
    Plateau,
    constant,
    cosine,
    exponential,
    flat_cosine,
    one_cycle,
    schedule_named,
    step,
    warm_up,
)
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit

GRID = [i / 200 for i in range(201)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_factor_lies_between_0_and_1(name):
    factors = [schedule_named(name)(p, []) for p in GRID]
    assert all(0.0 <= f <= 1.0 for f in factors)
    assert max(factors) == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_factor_is_a_pure_function(name):
    """Asked in any order the answers are the same, so that a resumed run needs no state."""
    schedule, rows = schedule_named(name), [{"loss": 1.0}] * 12
    asked = [(p, rows[: i // 20]) for i, p in enumerate(GRID)]
    forwards = [schedule(p, h) for p, h in asked]
    assert [schedule(p, h) for p, h in reversed(asked)][::-1] == forwards


@pytest.mark.parametrize(
    ("schedule", "known"),
    [
        (constant, {0: 1, 1: 1}),
        (step, {0: 1, 0.499: 1, 0.5: 0.1, 0.749: 0.1, 0.75: 0.01, 1: 0.01}),
        (exponential, {0: 1, 0.5: 0.1, 1: 0.01}),
        (cosine, {0: 1, 0.5: 0.5, 1 / 3: 0.75, 1: 0}),
        (flat_cosine, {0: 1, 0.5: 1, 0.75: 0.5, 1: 0}),
        (one_cycle, {0: 0.04, 0.15: 0.52, 0.3: 1, 1: 1e-4}),
        (warm_up(cosine, 0.2), {0: 0, 0.1: 0.5 * cosine(0.1, []), 0.5: 0.5}),
    ],
)
def test_known_values(schedule, known):
    for progress, factor in known.items():
        assert schedule(progress, []) == pytest.approx(factor, abs=1e-9), progress


def test_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    for i in range(50):
        assert cosine(i / 50, []) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_plateau_is_that_of_torch():
    losses = [1.0, 0.9, 0.9, 0.9, 0.95, 0.5, 0.5, 0.6, 0.55, 0.51, 0.2, 0.2, 0.2, 0.2]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    ours, rows = Plateau(factor=0.5, wait=2), []
    for loss in losses:
        theirs.step(loss)
        rows = [*rows, {"loss": 9.0, "val_loss": loss}]  # the validation loss counts where there is one
        assert ours(0.5, rows) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'cosine'"):
        schedule_named("cosin")


class Rates(Hook):
    def __init__(self):
        self.seen = []

    def step(self, run):
        self.seen.append((run.progress, run.lr, [g["lr"] for g in run.optimizers["train"].param_groups]))


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_loop_sets_every_group_before_each_step(accumulate):
    net, hook = nn.Linear(2, 1), Rates()
    groups = [{"params": [net.weight], "lr": 0.1}, {"params": [net.bias], "lr": 0.01}]
    data = ResidentBatches({"x": torch.ones(20, 2), "y": torch.ones(20, 1)}, 4)
    run = fit(
        Supervised(net, loss_named("squared_error")),
        data,
        optimizers={"train": torch.optim.SGD(groups)},
        epochs=6,
        schedule=cosine,
        accumulate=accumulate,
        hooks=(hook,),
    )
    steps = 6 * math.ceil(5 / accumulate)
    assert run.step == run.total_steps == steps == len(hook.seen)
    assert hook.seen[-1][0] == 1.0
    for i, (_, lr, all_rates) in enumerate(hook.seen):
        assert lr == pytest.approx(0.1 * cosine(i / steps, []))
        assert all_rates == pytest.approx([lr, lr / 10])


def test_with_a_time_limit_the_schedule_runs_in_time():
    net, hook = nn.Linear(2, 1), Rates()
    data = ResidentBatches({"x": torch.ones(40, 2), "y": torch.ones(40, 1)}, 4)
    rule = torch.optim.SGD(net.parameters(), lr=0.1)
    objective = Supervised(net, loss_named("squared_error"))
    run = fit(
        objective,
        data,
        optimizers={"train": rule},
        epochs=10**6,
        schedule=cosine,
        time_limit=0.3,
        hooks=(hook,),
    )
    assert run.stopped == "time"
    assert 0.3 <= run.seconds < 1.5
    rates = [lr for _, lr, _ in hook.seen]
    assert rates[0] > 0.09
    assert rates[-1] < 0.02
    assert rates == sorted(rates, reverse=True)
