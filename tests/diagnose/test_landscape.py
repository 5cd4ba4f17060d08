"""Landscapes: every point against the loss by the module itself, directions and paths against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from ganglion.base.errors import ParameterError
from ganglion.diagnose.landscape import filter_ways, flat, landscape, path_ways
from ganglion.diagnose.surface import parts_of
from ganglion.models.mlp import MLP

D = torch.float64


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.scale = nn.Linear(4, 4), nn.Linear(4, 3), nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.b(x + self.scale * torch.tanh(self.a(x)))


NETS = {
    "dense": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)),
    "nested, no bias": lambda: nn.Sequential(
        nn.Flatten(), nn.Sequential(nn.Linear(4, 6, bias=False), nn.GELU(), nn.Dropout(0.5)), nn.Linear(6, 3)
    ),
    "linear": lambda: nn.Linear(4, 3),
    "mlp": lambda: MLP(4, (), (6, 6), 3, dropout=0.3, init="he"),
    "mlp with bins": lambda: MLP(4, (), (6,), 3, init="he", edges=[np.linspace(-1, 1, 5)] * 4),
    "residual mlp": lambda: MLP(4, (), (6, 6), 3, init="he", residual=True),
    "batch norm": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
    "skip": Skip,
}


def made(name, seed=0):
    torch.manual_seed(seed)
    net = NETS[name]().double()
    x, y = torch.randn(30, 4, dtype=D), torch.randint(0, 3, (30,))
    return net, x, lambda out: F.cross_entropy(out, y)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_every_point_is_the_modules_own_loss(name, dims):
    net, x, cost = made(name)
    found = landscape(net, x, cost, dims=dims, size=5, span=0.7, seed=3)
    ways = filter_ways(net, dims, 3)
    net.eval()
    for place in np.ndindex(*(5,) * dims):
        there = {
            k: p + sum(found.at[i] * way[k] for i, way in zip(place, ways)) for k, p in net.named_parameters()
        }
        loss = float(cost(functional_call(net, there, (x,))).detach())
        assert np.asarray(found.loss)[place] == pytest.approx(loss, abs=1e-12)
    assert found.centre == pytest.approx(float(cost(net(x)).detach()), abs=1e-12)
    assert found.at[2] == 0


@pytest.mark.parametrize(
    ("name", "short"), [("dense", True), ("mlp", True), ("residual mlp", False), ("skip", False)]
)
def test_which_modules_take_the_short_way(name, short):
    assert (parts_of(made(name)[0].eval()) is not None) is short


@pytest.mark.parametrize("name", ["dense", "mlp", "batch norm"])
def test_the_module_stays_as_it_is(name):
    net, x, cost = made(name)
    before, state = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    landscape(net, x, cost, size=3)
    assert net.training
    assert all(m.training for m in net.modules())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in net.parameters())


def test_filters_have_the_networks_own_lengths():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        net[2].weight[0] = 0
    (way,) = filter_ways(net, 1, 0)
    for name, axes in (("0.weight", (1, 2, 3)), ("2.weight", (1,))):
        own = np.sqrt((dict(net.named_parameters())[name].detach().numpy() ** 2).sum(axes))
        np.testing.assert_allclose(np.sqrt((way[name].numpy() ** 2).sum(axes)), own, rtol=1e-5)
    assert not way["0.bias"].any()
    assert not torch.equal(filter_ways(net, 2, 0)[1]["0.weight"], way["0.weight"])
    assert torch.equal(filter_ways(net, 1, 0)[0]["0.weight"], way["0.weight"])


def walked(net, steps=6, planar=False):
    """Weights on a way that ends at the network's own."""
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(2 if planar else 5, flat(net).numel()))
    marks = [np.linspace(1, 0, steps), np.linspace(1, 0, steps) ** 2, *rng.normal(size=(3, steps)) * 0.1]
    path = []
    for i in range(steps):
        moved = torch.as_tensor(sum(mark[i] * axis for mark, axis in zip(marks, axes))) * (i < steps - 1)
        at, weights = 0, {}
        for k, p in net.named_parameters():
            weights[k] = p.detach() + moved[at : at + p.numel()].view(p.shape)
            at += p.numel()
        path.append(weights)
    return path


def test_a_path_in_a_plane_lies_in_the_slice():
    net, x, cost = made("dense")
    path = walked(net, planar=True)
    found = landscape(net, x, cost, size=5, directions="path", path=path)
    assert found.explained == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(found.path[-1], [0, 0], atol=1e-10)
    assert 0.5 < np.abs(found.path).max() <= 1
    ways = path_ways(net, path, 2)
    for place, weights, loss in zip(found.path, path, found.path_loss):
        there = {k: p + place[0] * ways[0][k] + place[1] * ways[1][k] for k, p in net.named_parameters()}
        for k in weights:
            torch.testing.assert_close(there[k].detach(), weights[k], rtol=1e-8, atol=1e-8)
        assert loss == pytest.approx(float(cost(functional_call(net, weights, (x,))).detach()), abs=1e-10)


def test_path_directions_are_principal():
    net = made("dense")[0]
    path = walked(net)
    away = np.stack([(flat(net, w) - flat(net)).numpy() for w in path])
    values = np.linalg.svd(away, compute_uv=False)
    x = torch.randn(5, 4, dtype=D)
    found = landscape(net, x, lambda out: out.square().mean(), size=3, directions="path", path=path)
    assert found.explained == pytest.approx((values[:2] ** 2).sum() / (values**2).sum(), rel=1e-8)
    aside = landscape(net, x, lambda out: out.square().mean(), size=3, path=path)
    assert aside.explained < found.explained


def test_the_centre_is_judged_by_its_curvature():
    net = nn.Linear(2, 1, bias=False).double()
    x = torch.eye(2, dtype=D)
    nn.init.zeros_(net.weight)
    kinds = {
        "minimum": lambda out: out.square().sum(),
        "saddle": lambda out: out[0, 0] ** 2 - out[1, 0] ** 2,
        "maximum": lambda out: -out.square().sum(),
        "flat": lambda out: out[0, 0] ** 2,
    }
    for kind, cost in kinds.items():
        assert landscape(net, x, cost, size=3).kind == kind
    found = landscape(net, x, lambda out: (out - 1).square().sum(), size=3)
    assert (found.slope, found.top) == (pytest.approx(8**0.5), pytest.approx(2))


def test_roughness_by_hand():
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(net.weight)
    x = torch.ones(1, 1, dtype=D)
    smooth = landscape(net, x, lambda out: (out - 1).square().sum(), dims=1, size=21)
    rough = landscape(
        net, x, lambda out: (out - 1).square().sum() + 0.2 * torch.cos(20 * out).sum(), dims=1, size=21
    )
    assert smooth.roughness == pytest.approx(0, abs=1e-12)
    bend = np.diff(rough.loss, n=2)
    assert rough.roughness == pytest.approx(-bend[bend < 0].sum() / np.abs(bend).sum())
    assert 0.4 < rough.roughness < 0.6


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": 4}, "odd"),
        ({"dims": 3}, "1 or 2"),
        ({"span": 0}, "above 0"),
        ({"directions": "filters"}, "filter"),
        ({"directions": "path"}, "more than 2 sets"),
        ({"path": [{"weight": torch.zeros(1)}]}, "parameters by name"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, text):
    net, x, cost = made("linear")
    with pytest.raises(ParameterError, match=text):
        landscape(net, x, cost, **options)
    with pytest.raises(ParameterError, match="with parameters"):
        landscape(nn.ReLU(), x, cost)
