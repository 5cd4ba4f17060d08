"""Losses against torch's functions, scikit-learn's scores, and the statistic that each one is lowest at."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, mean_squared_error
from torch.nn import functional as F

from ganglion.objectives.base import Objective
from ganglion.objectives.losses import CLASS_LOSSES, loss_named
from ganglion.objectives.supervised import Supervised

THEIRS = {
    "cross_entropy": lambda z, y: F.cross_entropy(z, y, reduction="none"),
    "squared_error": lambda z, y: F.mse_loss(z, y, reduction="none").mean(1),
    "absolute_error": lambda z, y: F.l1_loss(z, y, reduction="none").mean(1),
    "huber": lambda z, y: F.huber_loss(z, y, reduction="none").mean(1),
}


def some(name: str, n: int = 50, k: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    z = 2 * torch.randn(n, k, dtype=torch.float64)
    return z, torch.randint(k, (n,)) if name in CLASS_LOSSES else torch.randn(n, k, dtype=torch.float64)


@pytest.mark.parametrize("name", sorted(THEIRS))
@pytest.mark.parametrize("reduce", ["sum", "mean", "weights"])
def test_loss_function(name, reduce):
    """The usual losses equal torch's, the gradients by hand too: summed, averaged, and with weights.

    All losses against formulas of their own: ``tests/objectives``.
    """
    z, y = some(name)
    weight = (
        torch.rand(50, dtype=torch.float64) if reduce == "weights" else torch.ones(50, dtype=torch.float64)
    )
    divisor = 1.0 if reduce == "sum" else 50.0
    theirs = z.clone().requires_grad_()
    total = (THEIRS[name](theirs, y) * weight).sum() / divisor
    total.backward()
    net = Supervised(torch.nn.Linear(3, 3, bias=False).double(), loss_named(name))
    torch.nn.init.eye_(net.model.weight)
    x = z.clone().requires_grad_()
    found, _ = Objective.gradients(net, {"x": x, "y": y, "weight": weight}, "train", divisor)
    torch.testing.assert_close(found / divisor, total.detach(), atol=1e-10, rtol=0)
    torch.testing.assert_close(x.grad, theirs.grad, atol=1e-10, rtol=0)
    values, slope = loss_named(name).by_hand(z.clone(), y)
    torch.testing.assert_close(values, THEIRS[name](z, y), atol=1e-10, rtol=0)
    torch.testing.assert_close(slope * weight[:, None] / divisor, theirs.grad, atol=1e-10, rtol=0)


def lowest(name: str, y: torch.Tensor, low: float, high: float) -> float:
    """The constant answer with the smallest mean loss, by golden-section search."""
    loss, ratio = loss_named(name), (5**0.5 - 1) / 2

    def mean(c: float) -> float:
        z = torch.full((len(y), 1), c, dtype=torch.float64)
        return float(loss.value(torch.cat([torch.zeros_like(z), z], 1) if y.dim() == 1 else z, y).mean())

    while high - low > 1e-10:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if mean(a) < mean(b) else (a, high)
    return (low + high) / 2


def test_each_loss_is_lowest_at_its_own_statistic(rng):
    """The mean for squares, the median for absolute values, the class rate for cross-entropy."""
    y = torch.as_tensor(rng.exponential(size=(101, 1)))
    assert lowest("squared_error", y, -5, 5) == pytest.approx(float(y.mean()), abs=1e-7)
    assert lowest("absolute_error", y, -5, 5) == pytest.approx(float(y.median()), abs=1e-7)
    centre = lowest("huber", y, -5, 5)
    assert float((y - centre).clamp(-1, 1).mean()) == pytest.approx(0, abs=1e-7)
    classes = torch.as_tensor(rng.random(500) < 0.3).long()
    log_odds = lowest("cross_entropy", classes, -5, 5)
    assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(float(classes.double().mean()), abs=1e-7)


def test_mean_squared_error(rng):
    """scikit-learn's number; 2 (p - y) / n; lowest at the sample mean: the slope is exactly 0 there."""
    p, y = rng.normal(size=(40, 1)), rng.normal(size=(40, 1))
    values, slope = loss_named("squared_error").by_hand(torch.as_tensor(p), torch.as_tensor(y))
    assert abs(float(values.mean()) - mean_squared_error(y, p)) <= 1e-12
    np.testing.assert_allclose(slope.numpy() / 40, 2 * (p - y) / 40, rtol=0, atol=1e-15)
    # quadratic in the constant: Newton's step from anywhere lands on the minimiser
    start = torch.full((40, 1), 3.0, dtype=torch.float64)
    slopes = [loss_named("squared_error").by_hand(start + h, torch.as_tensor(y))[1].mean() for h in (0, 1)]
    assert abs(float(3.0 - slopes[0] / (slopes[1] - slopes[0])) - y.mean()) <= 1e-8


def test_binary_cross_entropy(rng):
    """Two classes are two outputs whose difference is the logit: scikit-learn's log loss, finite at 1e4."""
    loss = loss_named("cross_entropy")

    def bce(logit, y):
        logit = torch.as_tensor(logit)
        return loss.by_hand(torch.stack([torch.zeros_like(logit), logit], 1), torch.as_tensor(y))

    logit, y = 3 * rng.normal(size=200), (rng.random(200) < 0.4).astype(int)
    assert abs(float(bce(logit, y)[0].mean()) - log_loss(y, 1 / (1 + np.exp(-logit)))) <= 1e-12
    values, slope = bce(np.array([1e4, -1e4, 1e4, -1e4]), np.array([0, 0, 1, 1]))
    assert values.tolist() == [1e4, 0, 0, 1e4]
    assert torch.isfinite(slope).all()
    rate = y.mean()  # lowest at the rate: no slope there, and one towards it on either side
    at = [
        float(bce(np.full(200, np.log(r / (1 - r))), y)[1][:, 1].mean())
        for r in (rate - 1e-8, rate, rate + 1e-8)
    ]
    assert at[0] < 0 < at[2]
    assert abs(at[1]) < 1e-12


def test_categorical_cross_entropy(rng):
    """Class numbers and one-hot rows cost the same; the slope is softmax minus one-hot; two classes are one logit."""
    z, y = 3 * rng.normal(size=(60, 5)), rng.integers(0, 5, 60)
    wanted = np.eye(5)[y]
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    loss, output = loss_named("cross_entropy"), torch.tensor(z, requires_grad=True)
    for goal in (torch.tensor(y), torch.tensor(wanted)):
        theirs = F.cross_entropy(output, goal, reduction="none").detach().numpy()
        values, slope = loss.by_hand(output.detach(), goal)
        for found in (values.numpy(), loss.value(output, goal).detach().numpy()):
            np.testing.assert_allclose(found, -np.log(p[np.arange(60), y]), rtol=0, atol=1e-12)
            np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)
        (auto,) = torch.autograd.grad(loss.value(output, goal).sum(), output)
        for found in (slope.numpy(), auto.numpy()):
            np.testing.assert_allclose(found, p - wanted, rtol=0, atol=1e-12)
    two, one = torch.tensor(z[:, :2]), loss_named("binary_cross_entropy")
    binary = one.value(two[:, 1:] - two[:, :1], torch.tensor(y % 2))
    torch.testing.assert_close(loss.value(two, torch.tensor(y % 2)), binary, rtol=0, atol=1e-12)
