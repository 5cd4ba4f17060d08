"""Rules that give every weight a rate of its own, rates that fall in steps, and gradients of a set length."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.data.batches import ResidentBatches
from ganglion.objectives.losses import Loss
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import ADAM_BETA2, make_optimizer
from ganglion.optim.schedules import schedule_named
from ganglion.train.clip import Clip, clip_, global_norm
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit


class Point(nn.Module):
    """Two numbers to be moved."""

    def __init__(self, at=(-1.2, 1.0)) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([at], dtype=torch.float64))


def rosenbrock(w):
    return (1 - w[0, 0]) ** 2 + 100 * (w[0, 1] - w[0, 0] ** 2) ** 2


def path(point, optimizer, loss, steps=100, before=None):
    places = [point.at.detach().clone()]
    for t in range(1, steps + 1):
        optimizer.zero_grad()
        loss(point.at).backward()
        if before is not None:
            before(optimizer, t)
        optimizer.step()
        places.append(point.at.detach().clone())
    return torch.stack(places)


def paths(text, theirs, lr=0.01, loss=rosenbrock, steps=100):
    """Ours by name, and torch's."""
    ours, other = Point(), Point()
    return path(ours, make_optimizer(text, ours, lr), loss, steps), path(
        other, theirs([other.at], lr), loss, steps
    )


def test_adagrad():
    """torch's steps over 100; for a constant gradient they shrink as 1 / sqrt(t), to 1 %."""
    found, expected = paths("adagrad", torch.optim.Adagrad)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    point = Point()
    places = path(point, make_optimizer("adagrad", point, 0.1), lambda w: (3.0 * w).sum(), 400)
    steps = places.diff(dim=0).abs()[:, 0, 0].numpy()
    np.testing.assert_allclose(steps, steps[0] / np.sqrt(np.arange(1, 401)), rtol=0.01)


def test_rmsprop():
    """torch's steps over 100; with a tiny eps a loss a thousand times as large is trained by the same path."""
    found, expected = paths("rmsprop", torch.optim.RMSprop)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    ends = []
    for scale in (1.0, 1000.0):
        point = Point()
        rule = make_optimizer("rmsprop(eps=1e-30)", point, 0.01)
        ends.append(path(point, rule, lambda w, scale=scale: scale * rosenbrock(w)))
    torch.testing.assert_close(ends[0], ends[1], atol=1e-6, rtol=0)
    assert (ends[0][0] - ends[0][-1]).norm() > 0.1


def test_adam():
    """torch's steps over 1,000; the first is as long as the rate for every gradient but zero."""
    betas = (0.9, ADAM_BETA2)
    found, expected = paths("adam", lambda p, lr: torch.optim.Adam(p, lr, betas), steps=1000)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)

    for slope in (1e-12, 1e-3, 1.0, -1e6):
        point = Point()
        places = path(
            point, make_optimizer("adam(eps=1e-30)", point, 0.01), lambda w, s=slope: s * w.sum(), 1
        )
        torch.testing.assert_close(places[1] - places[0], torch.full((1, 2), -0.01 * np.sign(slope)).double())


def wrong_way(text: str, large: float = 4.0, steps: int = 3000) -> float:
    """Where a rule ends on [-1, 1] when the slope is ``large`` every third time and -1 otherwise; -1 is best."""
    point, t = Point((0.0, 0.0)), iter(range(steps))

    def loss(w):
        return (large if next(t) % 3 == 0 else -1.0) * w.sum()

    def before(optimizer, t):
        point.at.data.clamp_(-1.0, 1.0)
        optimizer.param_groups[0]["lr"] = 0.5 / t**0.5

    path(point, make_optimizer(text, point, 0.5, momentum=0.0), loss, steps, before)
    return float(point.at.detach().clamp(-1.0, 1.0).mean())


def test_adam_can_go_the_wrong_way_and_amsgrad_does_not():
    """Reddi et al. 2018, theorem 1, with beta_1 = 0 and beta_2 = 1 / (1 + C^2)."""
    beta2 = 1 / 17
    assert wrong_way(f"adam(beta2={beta2})") > 0.9
    assert wrong_way(f"adam(beta2={beta2}, amsgrad=True)") < -0.9


class Watch(Hook):
    """Rates, gradients as the update saw them, and the length they had."""

    def __init__(self) -> None:
        self.rates, self.raw, self.used = [], [], []

    def backward(self, run) -> None:
        self.raw.append(float(run.grad_norm))
        self.used.append(float(global_norm([p.grad for p in run.objective.parameters()])))

    def step(self, run) -> None:
        self.rates.append(run.lr)


def run_once(epochs, scale=None, **how):
    """A run of one step an epoch, whose loss may be scaled."""
    net, watch = nn.Linear(2, 1).double(), Watch()
    x = torch.randn(6, 2, dtype=torch.float64)
    batches = ResidentBatches({"x": x, "y": x[:, :1] + 3}, 6)
    factor = iter(np.geomspace(*scale, epochs)) if scale else None

    def value(output, y):
        return (output - y).square().mean(1) * (next(factor) if factor else 1.0)

    rule = {"train": torch.optim.SGD(net.parameters(), 0.05)}
    fit(Supervised(net, Loss(value)), batches, optimizers=rule, epochs=epochs, hooks=(watch,), **how)
    return watch


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("step(30, 0.1)", lambda o: torch.optim.lr_scheduler.StepLR(o, 30, 0.1)),
        ("step(every=1, factor=0.97)", lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.97)),
        ("multi_step(20, 50, 51)", lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 50, 51])),
    ],
)
def test_step_decay(text, theirs):
    """The loop's rates over 200 epochs are ``lr0 gamma^floor(epoch / every)``, and torch's."""
    rates = run_once(200, schedule=schedule_named(text)).rates
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.05)
    schedule, expected = theirs(optimizer), []
    for _ in range(200):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(rates, expected, rtol=1e-13)  # torch multiplies anew at each step, and rounds
    if text == "step(30, 0.1)":
        assert rates == [0.05 * 0.1 ** (epoch // 30) for epoch in range(200)]


def test_gradient_norm_scaling():
    """The length asked for at every step of a run whose gradients grow from 1e-8 to 1e8; the direction stays."""
    watch = run_once(60, scale=(1e-9, 1e9), clip=Clip(scale=0.3))
    assert min(watch.raw) < 1e-8
    assert max(watch.raw) > 1e8
    assert np.abs(np.array(watch.used) - 0.3).max() <= 1e-10
    for size in (1e-8, 1.0, 1e8):
        raw = [size * torch.randn(s, dtype=torch.float64) for s in ((4, 3), (4,))]
        ours = [g.clone() for g in raw]
        clip_(ours, global_norm(ours), Clip(scale=2.0))
        flat, before = (torch.cat([g.flatten() for g in gs]) for gs in (ours, raw))
        assert abs(float(flat.norm()) - 2.0) <= 1e-10
        torch.testing.assert_close(flat / flat.norm(), before / before.norm(), atol=1e-14, rtol=0)
