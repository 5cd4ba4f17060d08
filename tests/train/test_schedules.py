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
    cosine,
    plateau,
    schedule_named,
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
        ("constant", {0: 1, 1: 1}),
        ("linear", {0: 1, 0.25: 0.75, 1: 0}),
        ("linear(0.5)", {0: 1, 0.25: 0.875, 1: 0.5}),
        ("polynomial(3)", {0: 1, 0.5: 0.125, 1: 0}),
        ("step", {0: 1, 0.499: 1, 0.5: 0.1, 0.749: 0.1, 0.75: 0.01, 1: 0.01}),
        ("multi_step(0.2, 0.6, factor=0.5)", {0: 1, 0.19: 1, 0.2: 0.5, 0.6: 0.25, 1: 0.25}),
        ("exponential", {0: 1, 0.5: 0.1, 1: 0.01}),
        ("exponential(0.25)", {0: 1, 0.5: 0.5, 1: 0.25}),
        ("inverse_sqrt(0.04)", {0: 0, 0.02: 0.5, 0.04: 1, 0.16: 0.5, 1: 0.2}),
        ("cosine", {0: 1, 0.5: 0.5, 1 / 3: 0.75, 1: 0}),
        ("cosine(final=0.2)", {0: 1, 0.5: 0.6, 1: 0.2}),
        ("cosine_restarts(2)", {0: 1, 0.25: 0.5, 0.5: 1, 0.75: 0.5, 1: 0}),
        ("flat_cosine", {0: 1, 0.5: 1, 0.75: 0.5, 1: 0}),
        ("flat_cosine(0.8, 0.1)", {0: 1, 0.8: 1, 0.9: 0.55, 1: 0.1}),
        ("one_cycle", {0: 0.04, 0.15: 0.52, 0.3: 1, 1: 1e-4}),
        ("one_cycle(0.5, 0, 0)", {0: 0, 0.25: 0.5, 0.5: 1, 0.75: 0.5, 1: 0}),
        ("cyclic(2, low=0.2)", {0: 0.2, 0.125: 0.6, 0.25: 1, 0.5: 0.2, 0.75: 1, 1: 0.2}),
        ("warm_up(0.2, 'cosine')", {0: 0, 0.1: 0.25 * (1 + math.cos(0.1 * math.pi)), 0.5: 0.5}),
        ("warm_up_cosine(0.2)", {0: 0, 0.1: 0.25 * (1 + math.cos(0.1 * math.pi)), 0.5: 0.5}),
        ("warm_up(0.1, 'linear(0.5)')", {0: 0, 0.05: 0.4875, 1: 0.5}),
        ("warm_up_stable_decay", {0: 0, 0.025: 0.5, 0.05: 1, 0.8: 1, 0.9: 0.5, 1: 0}),
    ],
)
def test_known_values(schedule, known):
    for progress, factor in known.items():
        assert schedule_named(schedule)(progress, []) == pytest.approx(factor, abs=1e-9), progress


def test_cosine_is_that_of_torch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    for i in range(50):
        assert cosine()(i / 50, []) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_plateau_is_that_of_torch():
    losses = [1.0, 0.9, 0.9, 0.9, 0.95, 0.5, 0.5, 0.6, 0.55, 0.51, 0.2, 0.2, 0.2, 0.2]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    ours, rows = plateau(factor=0.5, wait=2), []
    for loss in losses:
        theirs.step(loss)
        rows = [*rows, {"loss": 9.0, "val_loss": loss}]  # the validation loss counts where there is one
        assert ours(0.5, rows) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_cool_down_begins_where_the_loss_stands_still_and_no_later_than_planned():
    rows = [{"loss": 9.0 - i, "val_loss": v} for i, v in enumerate((3.0, 2.0, 2.1, 2.0, 1.9, 1.9, 2.0))]
    factor = schedule_named("cool_down(wait=2, fall=4, flat=0.5)")
    assert [factor(0.1, rows[:n]) for n in range(4)] == [
        1,
        1,
        1,
        1,
    ]  # 2.1 and 2.0 are the two: the fall begins
    falling = [0.5 * (1 + math.cos(math.pi * (i + 0.5) / 4)) for i in range(4)]
    assert [factor(0.1, rows[:n]) for n in range(4, 8)] == pytest.approx(
        falling
    )  # a better epoch stops it not
    assert factor(0.1, [*rows, rows[0]]) == 0
    assert factor(0.75, rows[:3]) == pytest.approx(0.5)  # as planned, where nothing stood still
    refined = [row | {"val_refined": 1.0 / i} for i, row in enumerate(rows, 1)]
    assert factor(0.1, refined) == 1  # what chooses the epoch counts


def test_a_cooled_run_ends():
    torch.manual_seed(0)
    net, held = nn.Linear(1, 1), iter([1.0, 0.5, *[0.6] * 40])
    objective = Supervised(net, loss_named("squared_error"))
    batches = ResidentBatches({"x": torch.randn(16, 1), "y": torch.randn(16, 1)}, 4)
    run = fit(
        objective,
        batches,
        optimizers={"train": torch.optim.SGD(net.parameters(), lr=0.1)},
        epochs=40,
        schedule=schedule_named("cool_down(wait=2, fall=3)"),
        validate=lambda: {"val_loss": next(held)},
    )
    assert run.stopped == "early"
    assert [round(row["lr"], 4) for row in run.history] == [0.1] * 4 + [0.0933, 0.05, 0.0067]


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'cosine'"):
        schedule_named("cosin")
    with pytest.raises(ParameterError, match="did you mean 'linear'"):
        schedule_named("warm_up(0.1, 'linaer')")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("step(0)", "step: every must be a number at least 1, got 0"),
        ("step(30, factor='tenth')", "factor must be a number above 0, got 'tenth'"),
        ("cosine_restarts(2.5)", "cycles must be a whole number at least 1, got 2.5"),
        ("multi_step(10, -3)", "at must be a number above 0, got -3"),
        ("warm_up(1.5)", "share must be a number above 0 and below 1, got 1.5"),
        ("warm_up_cosine(True)", "share must be a number above 0 and below 1, got True"),
        ("plateau(wait=0)", "wait must be a whole number at least 1, got 0"),
        ("polynomial(power=2, final=0)", "takes"),
    ],
)
def test_a_number_out_of_range_is_one_sentence(text, said):
    with pytest.raises(ParameterError) as refused:
        schedule_named(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def torch_rates(make, epochs=200):
    """What torch's scheduler gives for a first rate of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs, rates = make(optimizer), []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    return rates


AT = torch.optim.lr_scheduler
TORCH = {
    "linear(0.1)": lambda o: AT.LinearLR(o, 1.0, 0.1, 200),
    "polynomial(1.5)": lambda o: AT.PolynomialLR(o, 200, 1.5),
    "step(30, 0.1)": lambda o: AT.StepLR(o, 30, 0.1),
    "step(7, 0.5)": lambda o: AT.StepLR(o, 7, 0.5),
    "multi_step(20, 90, 91, factor=0.3)": lambda o: AT.MultiStepLR(o, [20, 90, 91], 0.3),
    "cosine(0.05)": lambda o: AT.CosineAnnealingLR(o, 200, 0.05),
    "cosine_restarts(5, 0.01)": lambda o: AT.CosineAnnealingWarmRestarts(o, 40, eta_min=0.01),
    "cyclic(5, 0.1)": lambda o: AT.CyclicLR(o, 0.1, 1.0, step_size_up=20, cycle_momentum=False),
}


@pytest.mark.parametrize("text", TORCH)
def test_epoch_by_epoch_as_torch(text):
    """One step an epoch for 200 epochs."""
    ours = schedule_named(text)
    assert [ours(e / 200, [{}] * e) for e in range(200)] == pytest.approx(torch_rates(TORCH[text]), rel=1e-11)


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
        schedule=cosine(),
        accumulate=accumulate,
        hooks=(hook,),
    )
    steps = 6 * math.ceil(5 / accumulate)
    assert run.step == run.total_steps == steps == len(hook.seen)
    assert hook.seen[-1][0] == 1.0
    for i, (_, lr, all_rates) in enumerate(hook.seen):
        assert lr == pytest.approx(0.1 * cosine()(i / steps, []))
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
        schedule=cosine(),
        time_limit=0.3,
        hooks=(hook,),
    )
    assert run.stopped == "time"
    assert 0.3 <= run.seconds < 1.5
    rates = [lr for _, lr, _ in hook.seen]
    assert rates[0] > 0.09
    assert rates[-1] < 0.02
    assert rates == sorted(rates, reverse=True)
