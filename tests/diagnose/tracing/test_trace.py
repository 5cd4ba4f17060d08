"""``ganglion.trace``: what it leaves alone, how it copes with odd code, what it counts and what it refuses."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import ganglion


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64)


class Residual(nn.Module):
    """A skip, a convolution, a norm, a function."""

    def __init__(self, c: int = 3) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c)

    def forward(self, x):
        return x + torch.relu(self.norm(self.conv(x)))


# --- nothing is changed -----------------------------------------------------------------------------------


def state_of(module):
    return {
        "weights": {k: v.clone() for k, v in module.state_dict().items()},
        "grads": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "wanted": [p.requires_grad for p in module.parameters()],
        "modes": [m.training for m in module.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in module.modules()],
        "torch": torch.get_rng_state(), "numpy": np.random.get_state()[1].copy(), "python": random.getstate(),
    }  # fmt: skip


def same(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(a, b)) if hasattr(a, "shape") else a == b


def noisy():
    module = nn.Sequential(
        nn.Conv2d(3, 3, 1), Residual(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(48, 2)
    ).double()
    module(double(2, 3, 4, 4)).sum().backward()
    module[0].weight.requires_grad_(False)
    module[1].eval()
    module[4].register_forward_hook(lambda *_: None)
    return module


def test_everything_is_left_as_it_was():
    module, x = noisy(), double(2, 3, 4, 4)
    before, kept = state_of(module), x.clone()
    trace = ganglion.trace(module, x)
    assert same(before, state_of(module))
    assert torch.equal(x, kept)
    assert x.grad is None
    assert trace.gradients["0.weight"] is not None, "the gradient of a frozen weight is shown too"


def test_everything_is_left_as_it_was_after_an_exception():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    module, x = nn.Sequential(*noisy(), Broken()), double(2, 3, 4, 4)
    before = state_of(module)
    with pytest.raises(RuntimeError, match="broken"):
        ganglion.trace(module, x)
    assert same(before, state_of(module))
    assert torch.relu(torch.ones(1)) == 1, "no mode is left behind"


def test_running_statistics_stay():
    module = nn.Sequential(nn.BatchNorm1d(3)).double().train()
    before = copy.deepcopy(module.state_dict())
    ganglion.trace(module, double(5, 3))
    assert same(dict(before), dict(module.state_dict()))


def test_a_trace_repeats_with_its_random_masks():
    module, x = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5)).double(), double(4, 3)
    a, b = ganglion.trace(module, x), ganglion.trace(module, x)
    assert a.loss == b.loss
    assert 0.3 < float((a.output == 0).double().mean()) < 0.7


# --- code of every kind -----------------------------------------------------------------------------------


def test_writing_in_place_and_functions_of_ones_own():
    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sign()

        @staticmethod
        def backward(ctx, g):
            return 3 * g

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            h = self.a(x)
            h = h + torch.relu_(self.b(h))
            h[:, 0] = h[:, 1] * 2
            h[:, 2].mul_(3.0)
            h += x
            flat = h.view(-1)
            flat.add_(Sign.apply(flat))
            return torch.einsum("ij,kj->ik", h, h) + h.max(1).values

    trace = ganglion.trace(Odd().double(), double(6, 4))
    assert trace.deviation < 1e-12
    foreign = {row.name for row in trace.rows if not row.by_formula}
    assert {"CopySlices", "Sign", "einsum", "max"} <= foreign
    assert "Without a formula of their own" in trace.table()


def test_inplace_activation_on_the_input():
    assert (
        ganglion.trace(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 1)).double(), double(4, 3)).deviation
        < 1e-12
    )


def test_one_module_called_twice_and_tied_weights():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.f, self.g = nn.Linear(3, 3), nn.Linear(3, 3)
            self.g.weight = self.f.weight

        def forward(self, x):
            return self.g(torch.tanh(self.f(self.f(x))))

    trace = ganglion.trace(Twice().double(), double(4, 3))
    assert trace.deviation < 1e-12
    assert [layer.name for layer in trace.layers].count("f") == 2


def test_a_weight_without_use_has_no_gradient():
    module = nn.ModuleDict({"used": nn.Linear(2, 1), "idle": nn.Linear(2, 1)}).double()
    module.forward = lambda x: module["used"](x)
    trace = ganglion.trace(module, double(3, 2))
    assert trace.gradients["idle.weight"] is None
    assert "does not depend on idle.weight, idle.bias" in trace.table().replace("\n", " ")


def test_several_inputs_and_codes():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.e = nn.Embedding(5, 3)

        def forward(self, codes, x):
            return self.e(codes).sum(1) * x

    trace = ganglion.trace(Both().double(), (np.array([[0, 1], [4, 4]]), double(2, 3)))
    assert len(trace.input_gradients) == 1
    assert trace.gradients["e.weight"][[2, 3]].abs().sum() == 0


# --- recurrent layers in steps ----------------------------------------------------------------------------

CELLS = [
    lambda: nn.RNN(4, 3), lambda: nn.RNN(4, 3, 2, nonlinearity="relu", bidirectional=True, batch_first=True),
    lambda: nn.LSTM(4, 3, 2, bidirectional=True), lambda: nn.LSTM(4, 5, proj_size=2),
    lambda: nn.GRU(4, 3, 2, bias=False),
]  # fmt: skip


@pytest.mark.parametrize("make", CELLS)
def test_the_steps_make_what_the_kernel_makes(make):
    layer, x = make().double(), double(6, 5, 4)
    trace = ganglion.trace(layer, x)
    assert (trace.output - layer(x)[0]).abs().max() < 1e-12
    assert trace.deviation < 1e-10
    x.requires_grad_()
    outputs, last = layer(x)
    loss = outputs.sum() + (sum(part.sum() for part in last) if isinstance(last, tuple) else last.sum())
    theirs = torch.autograd.grad(loss, [x, *layer.parameters()])
    ours = [trace.input_gradients[0], *trace.gradients.values()]
    assert max(float((a - b).abs().max()) for a, b in zip(ours, theirs)) < 1e-10


def test_packed_sequences_and_single_cells():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.r = nn.LSTM(4, 3, bidirectional=True)

        def forward(self, x):
            return nn.utils.rnn.pad_packed_sequence(
                self.r(nn.utils.rnn.pack_padded_sequence(x, [5, 3, 1]))[0]
            )[0]

    module, x = Packed().double(), double(5, 3, 4)
    trace = ganglion.trace(module, x)
    assert (trace.output - module(x)).abs().max() < 1e-12
    assert trace.deviation < 1e-10
    for cell in (nn.GRUCell(4, 3), nn.LSTMCell(4, 3), nn.RNNCell(4, 3)):
        assert ganglion.trace(cell.double(), double(5, 4)).deviation < 1e-10


def test_the_gradient_by_step_of_time():
    """h_t = w h_{t-1} + x_t of one linear-ish unit: dL/dh_t = w^(T - t), here with ReLU above 0."""
    layer = nn.RNN(1, 1, nonlinearity="relu", bias=False).double()
    nn.init.constant_(layer.weight_hh_l0, 0.5)
    nn.init.constant_(layer.weight_ih_l0, 1.0)

    trace = ganglion.trace(
        layer, torch.ones(8, 1, 1, dtype=torch.float64), loss=lambda output: output[0][-1].sum()
    )
    steps = trace.layers[0].steps
    assert [step for step, _ in steps] == [f"t={t}" for t in range(8)]
    assert [float(v.grad) for _, v in steps] == pytest.approx([0.5 ** (7 - t) for t in range(8)], rel=1e-12)


# --- what is counted --------------------------------------------------------------------------------------

COUNTED = {
    "dense": (lambda: nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)), (11, 7), 2 * 11 * (7 * 5 + 5 * 3)),
    "sequence": (lambda: nn.Linear(7, 5), (2, 3, 7), 2 * 2 * 3 * 7 * 5),
    "conv2d": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), (5, 4, 9, 8), 2 * 5 * 6 * (5 * 5) * (2 * 6)
    ),
    "conv1d": (lambda: nn.Conv1d(3, 4, 5), (2, 3, 12), 2 * 2 * 4 * 8 * 15),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4), 2 * 3 * 27 * 16),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=2), (2, 4, 5, 5), 2 * (2 * 4 * 25) * (6 * 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_operations_are_counted_as_by_hand_and_by_torch(name):
    make, shape, expected = COUNTED[name]
    module, x = make().double(), double(*shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    assert ganglion.trace(module, x).flops == counter.get_total_flops() == expected


def test_operations_of_products_and_attention():
    class Products(nn.Module):
        def forward(self, q, k):
            return (F.scaled_dot_product_attention(q, k, k) @ k.mT).sum() + torch.baddbmm(
                q[:, :, :1], q, k.mT
            ).sum()

    q, k = double(2, 5, 4), double(2, 7, 4)
    assert (
        ganglion.trace(Products(), (q, k)).flops
        == 2 * (2 * 2 * 5 * 7 * 4) + 2 * 2 * 5 * 4 * 7 + 2 * 2 * 5 * 4 * 7
    )


CHAINS = [
    [nn.Conv2d(1, 1, 3)], [nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(1, 1, (3, 2), dilation=2)],
    [nn.Conv2d(1, 1, 5, padding=2), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3, padding=1), nn.AvgPool2d(3, 2)],
]  # fmt: skip


@pytest.mark.parametrize("parts", CHAINS, ids=len)
def test_receptive_field_is_where_the_gradient_of_one_pixel_reaches(parts):
    """All weights positive so that nothing cancels; the pools take means, so that no entry is left out."""
    module = nn.Sequential(*parts).double()
    for p in module.parameters():
        nn.init.constant_(p, 0.3)
    x = double(1, 1, 31, 29).abs()
    height, width = module(x).shape[2:]
    for i, j in ((height // 2, width // 2), (height // 2 + 1, width // 2 - 1)):
        trace = ganglion.trace(module, x, loss=lambda output: output[0, 0, i, j])  # noqa: B023
        reached = torch.nonzero(trace.input_gradients[0][0, 0])
        field = trace.layers[-2].sees
        first = [start + at * jump for start, at, jump in zip(field.start, (i, j), field.jump)]
        assert reached.min(0).values.tolist() == first
        assert (reached.max(0).values - reached.min(0).values + 1).tolist() == list(field.size)
        centre = [c + at * jump for c, at, jump in zip(field.centre, (i, j), field.jump)]
        assert reached.double().mean(0).tolist() == pytest.approx(centre)


def test_receptive_fields_of_a_skip_and_behind_a_dense_layer():
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), Residual(), nn.Flatten(), nn.Linear(48, 2)).double()
    fields = {layer.title: layer.sees for layer in ganglion.trace(module, double(2, 3, 4, 4)).layers}
    assert fields["1: add"].size == (5, 5)
    assert fields["1: add"].centre == (0, 0)
    assert fields["3 Linear"] is None
