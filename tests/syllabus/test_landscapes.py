"""Curvature, minima and saddles, landscapes, internal covariate shift: the criteria of the syllabus."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganglion.data.batches import ResidentBatches
from ganglion.diagnose.landscape import landscape
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.curvature import condition_number, hessian_product, kind_of_point, lanczos, start_vector
from ganglion.train.loop import fit
from ganglion.train.probes import Probes

D = torch.float64


def conditioning(x):
    """The Hessian's condition number of least squares on x (n, d), by products alone."""
    net = nn.Linear(x.shape[1], 1, bias=False).double()
    rows = torch.as_tensor(x)
    product = hessian_product(lambda: net(rows).square().mean() / 2, [net.weight])
    return condition_number(product, start_vector(rows, x.shape[1]))


@pytest.mark.parametrize("seed", range(5))
def test_ill_conditioning(seed):
    """Within 1 % of numpy.linalg.cond, and ten times smaller after standardising scales of 1 and 100."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 6)) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6))) * [1, 100, 1, 100, 1, 100]
    standard = (x - x.mean(0)) / x.std(0)
    found = []
    for rows in (x, standard):
        found.append(conditioning(rows))
        assert abs(found[-1] / np.linalg.cond(rows.T @ rows / len(rows)) - 1) < 0.01
    assert found[0] >= 10 * found[1]


MINIMA = [(3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)]  # Himmelblau 1972


def himmelblau(w):
    return (w[0] ** 2 + w[1] - 11) ** 2 + (w[0] + w[1] ** 2 - 7) ** 2


def kind_at(function, point):
    w = torch.tensor(point, dtype=D, requires_grad=True)
    found = lanczos(hessian_product(lambda: function(w), [w]), start_vector(w, len(w)), len(w)).values
    return kind_of_point(float(found[0]), float(found[-1]))


def found_from_many_starts():
    """Where plain gradient descent ends from a grid of 25 starts, all of them at once (25, 2)."""
    w = torch.cartesian_prod(*[torch.linspace(-5, 5, 5, dtype=D)] * 2).requires_grad_()
    optimizer = torch.optim.SGD([w], lr=0.005)
    for _ in range(300):
        optimizer.zero_grad()
        himmelblau(w.T).sum().backward()
        optimizer.step()
    return w.detach().numpy()


def test_local_and_global_minima():
    """Many starts find Himmelblau's four minima; curvature tells minimum from saddle, there and on 100 cases.

    The cases are bowls and saddles under random rotations and smooth bends.
    """
    ends = found_from_many_starts()
    near = {i for i, m in enumerate(MINIMA) if (np.hypot(*(ends - m).T) < 1e-3).any()}
    assert near == {0, 1, 2, 3}
    assert [kind_at(himmelblau, m) for m in MINIMA] == ["minimum"] * 4
    assert kind_at(himmelblau, (-0.270845, -0.923039)) == "maximum"
    saddles = [(0.086678, 2.884255), (3.385154, 0.073852), (-3.073026, -0.081353), (-0.127961, -1.953715)]
    assert [kind_at(himmelblau, s) for s in saddles] == ["saddle"] * 4
    rng = np.random.default_rng(0)
    for case in range(100):
        n = int(rng.integers(2, 12))
        signs = np.ones(n)
        if case % 2:
            signs[rng.permutation(n)[: rng.integers(1, n)]] = -1
        basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
        matrix = torch.tensor(basis * (signs * rng.uniform(0.1, 10, n)) @ basis.T)
        cubic = torch.tensor(rng.normal(size=n))

        def function(w, matrix=matrix, cubic=cubic):
            return w @ matrix @ w / 2 + (cubic * w**3).sum() + (w**4).sum()

        assert kind_at(function, np.zeros(n)) == ("saddle" if case % 2 else "minimum")


class Deep(nn.Module):
    """Dense layers with or without skips, of the same weights."""

    def __init__(self, skips, depth=20, width=24):
        super().__init__()
        self.skips = skips
        self.first = nn.Linear(20, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.last = nn.Linear(width, 2)

    def forward(self, x):
        h = torch.relu(self.first(x))
        for layer in self.hidden:
            h = h + torch.relu(layer(h)) / 2 if self.skips else torch.relu(layer(h))
        return self.last(h)


def slice_of(skips, seed):
    torch.manual_seed(seed)
    net = Deep(skips)
    for m in net.hidden:
        nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
    x = torch.randn(128, 20)
    y = (x[:, 0] + x[:, 1] > 0).long()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    net = net.double()
    x = x.double()

    def cost(out):
        return F.cross_entropy(out, y)

    found = [landscape(net, x, cost, dims=1, size=51, span=0.3, seed=s) for s in range(3)]
    for one in found:
        assert abs(one.centre - float(cost(net(x)).detach())) <= 1e-12
    plane = landscape(net, x, cost, dims=2, size=3, seed=0)
    assert abs(plane.loss[1][1] - float(cost(net(x)).detach())) <= 1e-12
    return float(np.median([one.roughness for one in found]))


def test_loss_landscape():
    """Slices hold the true loss in the middle; a deep network without skips is rougher than its residual twin."""
    for seed in range(2):
        assert slice_of(False, seed) > 0.2
        assert slice_of(True, seed) < 0.1


class NoisyShift(nn.Module):
    """Shifts and scales each unit anew in every step, by the same for all examples (Santurkar et al. 2018)."""

    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def forward(self, x):
        if not (self.training and self.strength):
            return x
        scale = 1 + self.strength * torch.rand(1, x.shape[1])
        return x * scale + self.strength * torch.randn(1, x.shape[1])


def trained(norm, shift, seed, depth=8, width=32):
    """The mean loss over the run and the shift rows, for one network with and without batch normalisation."""
    torch.manual_seed(seed)
    layers, before = [], 20
    for _ in range(depth):
        layers += [
            nn.Linear(before, width),
            *([nn.BatchNorm1d(width)] if norm else []),
            NoisyShift(shift),
            nn.ReLU(),
        ]
        before = width
    net = nn.Sequential(*layers, nn.Linear(width, 2))
    g = torch.Generator().manual_seed(100)
    x = torch.randn(512, 20, generator=g)
    y = (x[:, 0] * x[:, 1] > 0).long()
    probes = Probes()
    objective = Supervised(net, loss_named("cross_entropy"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    run = fit(
        objective,
        ResidentBatches({"x": x, "y": y}, 64),
        optimizers={"train": optimizer},
        epochs=25,
        seed=seed,
        hooks=(probes,),
    )
    return np.mean([row["loss"] for row in run.history]), [r for r in probes.rows if r["kind"] == "shift"]


def test_internal_covariate_shift():
    """Shift and gradient change are reported; batch normalisation speeds training even with injected shift."""
    plain, shifts = zip(*(trained(False, 0.0, seed) for seed in range(2)))
    noisy, noisy_shifts = zip(*(trained(True, 0.5, seed) for seed in range(2)))
    assert max(noisy) < min(plain) - 0.05
    for rows in (*shifts, *noisy_shifts):
        assert rows
        for row in rows:
            assert len(row["index"]) == len(row["mean_shift"]) == len(row["gradient_change"]) >= 4
            assert all(v >= 0 for key in ("mean_shift", "spread_shift", "gradient_change") for v in row[key])
            assert max(row["gradient_change"]) > 0
