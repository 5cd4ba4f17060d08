"""Backpropagation and the chain rule: right for every layer, and all gradients for the price of a few passes."""

import random
import time
from statistics import median

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion.objectives.losses import loss_named

LAYERS = {
    "dense": (lambda: nn.Linear(4, 3), (3, 4)),
    "convolution": (lambda: nn.Conv2d(2, 2, 3, stride=2, padding=1), (2, 2, 5, 4)),
    "transposed convolution": (lambda: nn.ConvTranspose1d(2, 2, 3, stride=2), (2, 2, 4)),
    "recurrent": (lambda: nn.RNN(2, 3), (4, 2, 2)),
    "LSTM": (lambda: nn.LSTM(2, 2, 2, bidirectional=True), (4, 2, 2)),
    "GRU": (lambda: nn.GRU(2, 3), (4, 2, 2)),
    "embedding": (lambda: nn.Embedding(5, 3), None),
    "batch normalisation": (lambda: nn.BatchNorm1d(3), (6, 3)),
    "layer normalisation": (lambda: nn.LayerNorm(4), (3, 4)),
    "instance normalisation": (lambda: nn.InstanceNorm1d(2, affine=True), (2, 2, 5)),
    "group normalisation": (lambda: nn.GroupNorm(2, 4), (3, 4, 3)),
    "RMS normalisation": (lambda: nn.RMSNorm(4), (3, 4)),
    "average pooling": (lambda: nn.AvgPool2d(2), (2, 2, 4, 4)),
    "max pooling": (lambda: nn.MaxPool2d(2), (2, 2, 4, 4)),
    "dropout": (lambda: nn.Dropout(0.4), (4, 5)),
    "softmax": (lambda: nn.Softmax(1), (3, 4)),
    "attention": (lambda: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, activation="gelu"), (3, 2, 4)),
    **{
        name: (make, (3, 4))
        for name, make in {
            "ReLU": nn.ReLU, "leaky ReLU": nn.LeakyReLU, "parametric ReLU": nn.PReLU, "ELU": nn.ELU, "SELU": nn.SELU,
            "GELU": nn.GELU, "SiLU": nn.SiLU, "softplus": nn.Softplus, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid,
        }.items()
    },
}  # fmt: skip


def first(output):
    """The output without the states that recurrent layers add."""
    return output[0] if isinstance(output, tuple) else output


def output_of(module, x):
    """The output of a pass whose random numbers come from seed 0, as a trace's do."""
    torch.manual_seed(0)
    return first(module(x))


@pytest.mark.parametrize("name", LAYERS)
def test_backpropagation(name, central):
    """Every layer type: the trace's gradients = central differences with eps 1e-6, to 1e-6 of the largest."""
    make, shape = LAYERS[name]
    torch.manual_seed(1)
    module = make().double()
    x = torch.tensor([[0, 3], [3, 1]]) if shape is None else torch.randn(*shape, dtype=torch.float64)
    with torch.no_grad():
        weights = torch.randn_like(output_of(module, x))
    trace = ganglion.trace(module, x, loss=lambda output: (first(output) * weights).sum())

    def moved(tensor, values) -> float:
        kept = tensor.detach().clone()
        with torch.no_grad():
            tensor.copy_(torch.as_tensor(values))
            loss = float((output_of(module, x) * weights).sum())
            tensor.copy_(kept)
        return loss

    places = dict(module.named_parameters())
    ours = dict(trace.gradients)
    if shape is not None:
        places["input"], ours["input"] = x, trace.input_gradients[0]
    assert places
    for where, tensor in places.items():
        slope = central(lambda values: moved(tensor, values), tensor.detach().numpy().copy())  # noqa: B023
        scale = max(np.abs(slope).max(), 1e-2)
        assert np.abs(ours[where].numpy() - slope).max() <= 1e-6 * scale, where


@pytest.mark.alone
def test_backpropagation_costs_at_most_four_passes():
    """One backward pass by hand (the pass that trains estimators) and by autograd against one forward pass."""
    net = nn.Sequential(
        *[part for _ in range(4) for part in (nn.Linear(256, 256), nn.ReLU())], nn.Linear(256, 10)
    )
    x, y = torch.randn(512, 256), torch.randint(0, 10, (512,))
    forward, backward = [], []
    for _ in range(60):
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(net(x), y)
        middle = time.perf_counter()
        loss.backward()
        backward.append(time.perf_counter() - middle)
        forward.append(middle - start)
    assert median(backward) <= 4 * median(forward)

    from ganglion.nn.dense import DenseStack

    stack = DenseStack([256, 256, 256, 256, 10], "relu")
    for p in stack.parameters():
        p.grad = torch.zeros_like(p)
    by_hand, loss_by_hand = stack.by_hand(), loss_named("cross_entropy").by_hand
    forward, backward = [], []
    with torch.no_grad():
        for _ in range(60):
            start = time.perf_counter()
            output = by_hand.forward(x)
            middle = time.perf_counter()
            by_hand.backward(loss_by_hand(output, y)[1])
            backward.append(time.perf_counter() - middle)
            forward.append(middle - start)
    assert median(backward) <= 4 * median(forward)


ONE = (torch.sin, torch.cos, torch.tanh, torch.sigmoid, torch.exp, torch.square, torch.nn.functional.softplus,
       lambda a: torch.log1p(a * a), lambda a: torch.sqrt(a * a + 1), lambda a: a.softmax(0), lambda a: a.roll(1),
       lambda a: a.cumsum(0), lambda a: 1 / (a * a + 1), lambda a: a.flip(0) * a.mean())  # fmt: skip
TWO = (torch.add, torch.sub, torch.mul, lambda a, b: a / (b * b + 1), lambda a, b: a * b.sum(),
       lambda a, b: torch.outer(a, b).tanh() @ a, lambda a, b: torch.cat([a[:2], b[2:]]))  # fmt: skip


class Graph(nn.Module):
    """A random expression graph: each node is a function of one or two earlier ones, the leaves are parameters.

    Every node is divided by its size at the start, a fixed number, so that nothing explodes.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        draw = random.Random(seed)
        torch.manual_seed(seed)
        self.leaves = nn.ParameterList(torch.randn(4, dtype=torch.float64) for _ in range(draw.randint(1, 3)))
        self.nodes, known = [], [leaf.detach() for leaf in self.leaves]
        for _ in range(draw.randint(4, 14)):
            function, n = draw.choice([(draw.choice(ONE), 1), (draw.choice(TWO), 2)])
            places = [draw.randrange(len(known)) for _ in range(n)]
            value = function(*(known[i] for i in places))
            self.nodes.append((function, places, float(1 + value.abs().max())))
            known.append(value / self.nodes[-1][2])

    def forward(self, x):
        """The sum of all nodes, times x."""
        known = list(self.leaves)
        for function, places, size in self.nodes:
            known.append(function(*(known[i] for i in places)) / size)
        return sum(known[len(self.leaves) :]) * x


def test_chain_rule():
    """100 random expression graphs: every gradient = central differences to 1e-6, through forks and joins."""
    worst = 0.0
    for seed in range(100):
        graph, x = Graph(seed), torch.randn(4, dtype=torch.float64)
        trace = ganglion.trace(graph, x)
        for name, leaf in graph.named_parameters():
            ours = [0.0] * 4 if trace.gradients[name] is None else trace.gradients[name].tolist()
            for i, slope in enumerate(ours):
                values = []
                for step in (1e-4, -1e-4, 2e-4, -2e-4):
                    with torch.no_grad():
                        leaf[i] += step
                        values.append(float(graph(x).sum()))
                        leaf[i] -= step
                difference = (8 * (values[0] - values[1]) - (values[2] - values[3])) / 12e-4
                worst = max(worst, abs(difference - slope) / max(abs(difference), abs(slope), 1e-3))
    assert worst <= 1e-6


@pytest.mark.alone
def test_chain_rule_costs_at_most_five_evaluations_however_many_parameters():
    """Reverse mode: all gradients of 1e3 and of 4e6 parameters for less than five forward evaluations."""
    for width in (16, 256, 1024):
        net = nn.Sequential(*[part for _ in range(4) for part in (nn.Linear(width, width), nn.Tanh())])
        x = torch.randn(512, width)
        alone, both = [], []
        for _ in range(30):
            start = time.perf_counter()
            with torch.no_grad():
                net(x).sum()
            middle = time.perf_counter()
            torch.autograd.grad(net(x).sum(), list(net.parameters()))
            both.append(time.perf_counter() - middle)
            alone.append(middle - start)
        assert median(both) <= 5 * median(alone), width
