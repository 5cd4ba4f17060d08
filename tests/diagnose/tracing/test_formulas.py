"""Every formula against autograd, in double precision, at every value of the pass and not only at its ends."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganglion.diagnose.tracing.backward import backward
from ganglion.diagnose.tracing.rules import COPIES, RULES
from ganglion.diagnose.tracing.slopes import SLOPES
from ganglion.diagnose.tracing.tape import Tape


def double(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


class Of(nn.Module):
    """A function of its inputs as a module."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *xs):
        return self.function(*xs)


def deviation(module, *inputs, seen: set[str] | None = None) -> tuple[float, set[str]]:
    """The largest deviation from autograd over all values, and the operations without a formula.

    ``seen`` gathers those that have one.
    """
    torch.manual_seed(1)
    module = module.double()
    tape = Tape(module, {})
    given = [x.clone().requires_grad_().clone() if x.is_floating_point() else x for x in inputs]
    for x in given:
        if x.requires_grad:
            tape.know(x, "input")
    with tape.watching():
        output = module(*given)
        while isinstance(output, tuple | list):
            output = output[0]
        loss = (
            output * torch.linspace(-1, 1, output.numel(), dtype=torch.float64).reshape(output.shape)
        ).sum()
    backward(tape.rows, tape.seen(loss))
    values = tape.leaves + [v for row in tape.rows for v in row.outputs]
    edges = [v.edge for v in values]
    theirs = torch.autograd.grad(loss, edges, allow_unused=True)
    worst = 0.0
    for value, g in zip(values, theirs):
        ours = torch.zeros_like(value.tensor) if value.grad is None else value.grad
        g = torch.zeros_like(value.tensor) if g is None else g
        worst = max(worst, float((ours - g).abs().max()) / max(float(g.abs().max()), 1.0))
    if seen is not None:
        seen.update(row.name for row in tape.rows if row.by_formula and row.arriving)
    return worst, {row.name for row in tape.rows if not row.by_formula}


IMAGE = (2, 4, 7, 6)
LAYERS = {
    "linear on a matrix": (nn.Linear(4, 3), (5, 4)),
    "linear on a sequence": (nn.Linear(4, 3, bias=False), (5, 2, 4)),
    "conv1d": (nn.Conv1d(4, 6, 3, groups=2), (2, 4, 9)),
    "conv1d without a batch": (nn.Conv1d(4, 6, 3), (4, 9)),
    "conv2d": (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(2, 1), groups=2), IMAGE),
    "conv2d same": (nn.Conv2d(4, 3, 3, padding="same", dilation=2), IMAGE),
    "conv2d circular": (nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), IMAGE),
    "conv2d depthwise": (nn.Conv2d(4, 8, 3, groups=4), IMAGE),
    "conv3d": (nn.Conv3d(2, 3, 2, stride=2), (2, 2, 4, 5, 4)),
    "conv_transpose1d": (nn.ConvTranspose1d(4, 2, 3), (2, 4, 5)),
    "conv_transpose2d": (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), IMAGE),
    "conv_transpose2d dilated": (nn.ConvTranspose2d(4, 2, 3, dilation=2), IMAGE),
    "conv_transpose3d": (nn.ConvTranspose3d(2, 2, 2), (1, 2, 3, 3, 3)),
    "max_pool1d": (nn.MaxPool1d(2), (2, 4, 6)),
    "max_pool2d": (nn.MaxPool2d(3, 2, 1), IMAGE),
    "max_pool2d without a batch": (nn.MaxPool2d(2), (4, 6, 6)),
    "max_pool3d": (nn.MaxPool3d(2), (1, 2, 4, 4, 4)),
    "avg_pool1d": (nn.AvgPool1d(2), (2, 4, 6)),
    "avg_pool2d": (nn.AvgPool2d(3, 2, 1), IMAGE),
    "avg_pool3d": (nn.AvgPool3d(2), (1, 2, 4, 4, 4)),
    "adaptive_avg_pool1d": (nn.AdaptiveAvgPool1d(4), (2, 4, 6)),
    "adaptive_avg_pool2d": (nn.AdaptiveAvgPool2d((3, 1)), IMAGE),
    "adaptive_avg_pool3d": (nn.AdaptiveAvgPool3d(2), (1, 2, 3, 4, 5)),
    "adaptive_max_pool1d": (nn.AdaptiveMaxPool1d(2), (2, 4, 7)),
    "adaptive_max_pool3d": (nn.AdaptiveMaxPool3d(2), (1, 2, 3, 4, 5)),
    "adaptive_max_pool2d": (nn.AdaptiveMaxPool2d((2, 3)), IMAGE),
    "batch_norm": (nn.BatchNorm2d(4), IMAGE),
    "batch_norm of rows": (nn.BatchNorm1d(4), (5, 4)),
    "batch_norm, fixed": (nn.BatchNorm2d(4).eval(), IMAGE),
    "batch_norm, plain": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "instance_norm": (nn.InstanceNorm2d(4, affine=True), IMAGE),
    "instance_norm, fixed": (nn.InstanceNorm1d(4, track_running_stats=True).eval(), (2, 4, 6)),
    "group_norm": (nn.GroupNorm(2, 4), IMAGE),
    "layer_norm": (nn.LayerNorm((7, 6)), IMAGE),
    "layer_norm, plain": (nn.LayerNorm(6, elementwise_affine=False), IMAGE),
    "rms_norm": (nn.RMSNorm(6), IMAGE),
    "local_response_norm": (nn.LocalResponseNorm(2), IMAGE),
    "dropout": (nn.Dropout(0.3), IMAGE),
    "dropout of maps": (nn.Dropout2d(0.5), IMAGE),
    "alpha dropout": (nn.AlphaDropout(0.3), IMAGE),
    "softmax": (nn.Softmax(1), IMAGE),
    "log_softmax": (nn.LogSoftmax(-1), IMAGE),
    "prelu": (nn.PReLU(4), IMAGE),
    "prelu, one": (nn.PReLU(), (5, 4)),
    "glu": (nn.GLU(1), IMAGE),
    "upsample": (nn.Upsample(scale_factor=2), IMAGE),
    "pixel_shuffle": (nn.PixelShuffle(2), IMAGE),
    "zero pad": (nn.ZeroPad2d(1), IMAGE),
    "reflection pad": (nn.ReflectionPad2d(2), IMAGE),
    "flatten": (nn.Flatten(), IMAGE),
    "unfold": (nn.Unfold(2), IMAGE),
    "attention layer": (nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, activation="gelu").eval(), (5, 2, 8)),
}  # fmt: skip
ENTRYWISE = [
    "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "silu", "mish", "softplus", "logsigmoid", "softsign", "tanh",
    "tanhshrink", "hardtanh", "hardswish", "softshrink", "hardshrink", "gelu",
]  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name):
    torch.manual_seed(0)
    module, shape = LAYERS[name]
    worst, foreign = deviation(module, double(*shape))
    assert worst < 1e-10
    assert not foreign


@pytest.mark.parametrize("name", ENTRYWISE)
def test_activation(name):
    torch.manual_seed(0)
    worst, foreign = deviation(Of(getattr(F, name)), 2 * double(3, 40))
    assert worst < 1e-12
    assert not foreign


def test_slope_of_hard_sigmoid_is_a_sixth():
    """torch's own backward pass takes 1/6 in single precision, so the oracle is the difference itself."""
    tape_of = SLOPES["hardsigmoid"](None, torch.tensor([-4.0, 0.5, 4.0], dtype=torch.float64))
    assert tape_of.tolist() == [0.0, 1 / 6, 0.0]


a2, b2, c2 = (4, 3), (4, 3), (3, 5)
OPERATIONS = {
    "arithmetic": (lambda a, b: (a + b) * 2 - a / (b * b + 1) - (1 - a) * b + 2 / (a * a + 1) + (-a), a2, b2),
    "broadcasting": (lambda a, b: a + b[0] * a[:, :1] - b.mean(0, keepdim=True) / (a[:1] ** 2 + 1), a2, b2),
    "named": (lambda a, b: torch.add(a, b, alpha=2).sub(b, alpha=3).mul(b).div(2.0).neg(), a2, b2),
    "powers": (lambda a: a**3 + a.square() + (a * a + 1).sqrt() + (a * a + 1).rsqrt() + a.abs() + a**0, a2),
    "exponentials": (
        lambda a: a.exp() + (a * a + 1).log() + a.expm1() + (a * a).log1p() + a.erf() + (a * a + 1).reciprocal(), a2
    ),
    "waves": (lambda a: torch.sin(a) + torch.cos(a) + torch.sign(a), a2),
    "limits": (lambda a: a.clamp(-0.5, 0.7) + a.clamp_min(0.1) + a.clamp_max(0.2), a2),
    "products": (lambda a, c: a @ c + torch.mm(a, c) + torch.addmm(c[0], a, c, beta=2, alpha=3), a2, c2),
    "batched products": (
        lambda a, b: torch.bmm(a, b) + a @ b + a @ b[0] + torch.baddbmm(a @ b, a, b), (2, 4, 3), (2, 3, 5)
    ),
    "vectors": (lambda a, v: a @ v + torch.mv(a, v) + torch.dot(v, v) + v @ v, a2, (3,)),
    "choices": (lambda a, b: torch.where(a > b, a, b) + torch.maximum(a, b) - torch.minimum(a, 0.3 * b), a2, b2),
    "masks": (lambda a: a.masked_fill(a > 0.5, 0.0) + torch.threshold(a, 0.1, 0.2), a2),
    "sums": (lambda a: a.sum(0) + a.mean(0) + a.sum() + a.mean((0, 1)) + a.var(0) + a.cumsum(1)[0], a2),
    "soft sums": (lambda a: a.logsumexp(0), a2),
    "extremes": (lambda a: torch.cat([a, a], 1).amax(1) + a.amin(0, keepdim=True).sum() + a.amax((0, 1)), a2),
    "lengths": (lambda a: torch.linalg.vector_norm(a, dim=1) + a.norm() + F.normalize(a)[:, 0], a2),
    "joining": (lambda a, b: torch.cat([a, b, torch.stack([a, b]).sum(0)], 1).tile(2, 1), a2, b2),
    "parting": (lambda a: sum(p * i for i, p in enumerate([*a.chunk(2), *a.split([1, 3])[1:][0].chunk(3)[:1]], 1)), a2),
    "turning": (lambda a: (a.T @ a).mT + a.permute(1, 0) @ a + a.transpose(0, 1).contiguous() @ a.clone(), a2),
    "picking": (lambda a: a[1:, ::2] * a.select(1, 0)[1:, None] + a.narrow(0, 0, 3)[:, [0, 2]] + a.flip(0)[1:, :2], a2),
    "shaping": (lambda a: a.reshape(2, 6).view(3, 4).unsqueeze(0).expand(2, 3, 4).flatten(1).squeeze(), a2),
    "rolling": (lambda a: a.roll(1, 0).ravel(), a2),
    "looking up": (lambda a: F.embedding(torch.tensor([[0, 3, 3], [1, 0, 2]]), a, padding_idx=1), a2),
    "gathering": (lambda a: a.gather(1, torch.tensor([[0, 0], [2, 1], [1, 1], [0, 2]])), a2),
    "selecting": (lambda a: a.index_select(1, torch.tensor([2, 0])), a2),
    "writing": (lambda a, b: a.clone().copy_(b) * a, a2, b2),
    "kinds": (lambda a: a.to(torch.float64).double() + a.type_as(a), a2),
    "attention": (lambda q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True), (2, 5, 4), (2, 5, 4)),
    "masked attention": (
        lambda q, k: F.scaled_dot_product_attention(q, k, k, torch.ones(5, 5, dtype=torch.bool).tril()),
        (2, 5, 4), (2, 5, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name):
    torch.manual_seed(0)
    function, *shapes = OPERATIONS[name]
    worst, foreign = deviation(Of(function), *(double(*shape) for shape in shapes))
    assert worst < 1e-12
    assert not foreign


CODES, GOAL = torch.tensor([0, 1, 2, 0, 1, 2]), torch.linspace(-1, 2, 18, dtype=torch.float64).reshape(6, 3)
REDUCTIONS = ("mean", "sum", "none")
LOSSES = {
    "mse_loss": lambda o, r: F.mse_loss(o, GOAL, reduction=r),
    "l1_loss": lambda o, r: F.l1_loss(o, GOAL, reduction=r),
    "huber_loss": lambda o, r: F.huber_loss(o, GOAL, reduction=r, delta=0.7),
    "smooth_l1_loss": lambda o, r: F.smooth_l1_loss(o, GOAL, reduction=r, beta=0.3),
    "cross_entropy": lambda o, r: F.cross_entropy(o, CODES, reduction=r, label_smoothing=0.1),
    "cross_entropy, ignored": lambda o, r: F.cross_entropy(o, CODES.where(CODES > 0, -100), reduction=r),
    "cross_entropy, soft": lambda o, r: F.cross_entropy(o, GOAL.softmax(1), reduction=r),
    "cross_entropy, both": lambda o, r: F.cross_entropy(o, o.detach() * 0 + o.softmax(1), reduction=r),
    "nll_loss": lambda o, r: F.nll_loss(o.log_softmax(1), CODES, reduction=r),
    "binary_cross_entropy": lambda o, r: F.binary_cross_entropy(
        o.sigmoid(), (GOAL > 0).double(), reduction=r
    ),
    "with logits": lambda o, r: F.binary_cross_entropy_with_logits(o, (GOAL > 0).double(), reduction=r),
    "kl_div": lambda o, r: F.kl_div(
        o.log_softmax(1), GOAL.softmax(1), reduction="batchmean" if r == "mean" else r
    ),
    "gaussian_nll_loss": lambda o, r: F.gaussian_nll_loss(o, GOAL, o.exp(), reduction=r),
    "poisson_nll_loss": lambda o, r: F.poisson_nll_loss(o, GOAL.abs(), reduction=r),
}


@pytest.mark.parametrize(("name", "reduction"), list(itertools.product(LOSSES, REDUCTIONS)))
def test_loss(name, reduction):
    torch.manual_seed(0)
    worst, foreign = deviation(Of(lambda o: LOSSES[name](o, reduction)), double(6, 3))
    assert worst < 1e-12
    assert not foreign


def test_every_formula_is_tried():
    """Whatever stands in the tables of rules and slopes is used by a case above."""
    seen: set[str] = set()
    for module, shape in LAYERS.values():
        deviation(module, double(*shape), seen=seen)
    for name in ENTRYWISE:
        deviation(Of(getattr(F, name)), double(3, 4), seen=seen)
    for function, *shapes in OPERATIONS.values():
        deviation(Of(function), *(double(*shape) for shape in shapes), seen=seen)
    for loss in LOSSES.values():
        deviation(Of(lambda o: loss(o, "sum")), double(6, 3), seen=seen)  # noqa: B023
    missing = (set(RULES) | set(SLOPES)) - seen - {"hardsigmoid"}
    assert not missing, sorted(missing)
    assert len(COPIES & seen) >= 28
