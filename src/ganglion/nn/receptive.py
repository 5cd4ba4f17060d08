"""Receptive fields: which entries of the input one entry of a feature map can see, along convolutions and poolings.

Per axis: ``size`` entries, the next output's field lies ``jump`` entries further, and the first one starts at
``start`` (negative where it reaches into the padding). A window of k entries with stride s, padding p and dilation d
turns (size, jump, start) into ``(size + d (k - 1) jump, s jump, start - p jump)`` (Araujo et al. 2019, Distill).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganglion.base.errors import DataError
from ganglion.nn.convolution import each, sides

# What gives each entry of its output from the entries at the same place, of all channels.
ENTRYWISE = {
    "add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "div", "rdiv", "truediv",
    "rtruediv", "itruediv", "true_divide", "pow", "square", "sqrt", "rsqrt", "exp", "log", "log1p", "expm1",
    "sin", "cos", "erf", "reciprocal", "abs", "neg", "sign", "clamp", "clip", "clamp_min", "clamp_max",
    "maximum", "minimum", "where", "sigmoid", "tanh", "relu", "relu6", "leaky_relu", "prelu", "rrelu",
    "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "logsigmoid", "hardtanh",
    "hardsigmoid", "hardswish", "softshrink", "hardshrink", "tanhshrink", "threshold", "batch_norm",
    "dropout", "dropout2d", "feature_dropout", "alpha_dropout", "cat", "concat", "clone", "contiguous",
    "to", "float", "double", "half", "bfloat16", "type_as", "detach",
}  # fmt: skip
ARGUMENTS = {
    "conv": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool": ("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool": ("input", "kernel_size", "stride", "padding"),
}


@dataclass(frozen=True)
class Field:
    """The receptive field of a feature map; one number per axis."""

    size: tuple[float, ...]
    jump: tuple[float, ...]
    start: tuple[float, ...]

    @property
    def centre(self) -> tuple[float, ...]:
        """The middle of the first output's field, in entries of the input."""
        return tuple(a + (n - 1) / 2 for a, n in zip(self.start, self.size))

    def __str__(self) -> str:
        return "x".join(f"{n:g}" for n in self.size)


def point(axes: int) -> Field:
    """The field of an entry of the input: itself."""
    return Field((1,) * axes, (1,) * axes, (0,) * axes)


@dataclass(frozen=True)
class Window:
    """A sliding window, one number per axis; ``kernel`` is 1 where entries are only added around the map."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    around: tuple[tuple[int, int], ...]

    def over(self, field: Field) -> Field:
        """The field after this window."""
        parts = zip(field.size, field.jump, field.start, self.kernel, self.stride, self.dilation, self.around)
        found = [(n + d * (k - 1) * j, s * j, a - p * j) for n, j, a, k, s, d, (p, _) in parts]
        size, jump, start = zip(*found)
        return Field(size, jump, start)


def window_of(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Window | None:
    """The window that a call of a torch function slides, if it slides one.

    Arguments: ``name`` of the function; ``args`` and ``options`` it is called with (of tensors only shapes count).

    >>> window_of("max_pool2d", (None, 3, 2), {}).stride
    (2, 2)
    """
    if name == "pad":
        given = dict(zip(("input", "pad"), args)) | options
        pairs = tuple(zip(given["pad"][::2], given["pad"][1::2]))[::-1]
        return Window(*[(1,) * len(pairs)] * 3, pairs)
    kind = name[:-2]
    if kind not in ARGUMENTS or name[-2:] not in ("1d", "2d", "3d"):
        return None
    given = dict(zip(ARGUMENTS[kind], args)) | options
    axes = int(name[-2])
    kernel = tuple(given["weight"].shape[2:]) if kind == "conv" else each(given["kernel_size"], axes)
    stride = each(given.get("stride") or (1 if kind == "conv" else kernel), axes)
    dilation = each(given.get("dilation") or 1, axes)
    return Window(kernel, stride, dilation, tuple(sides(given.get("padding", 0), kernel, dilation)))


def united(fields: list[Field]) -> Field | None:
    """The smallest field that holds them all; none if they move at different speeds."""
    first = fields[0]
    if any(f.jump != first.jump for f in fields):
        return None
    start = tuple(min(parts) for parts in zip(*(f.start for f in fields)))
    ends = tuple(max(a + n for a, n in pairs) for pairs in zip(*(list(zip(f.start, f.size)) for f in fields)))
    return Field(tuple(e - a for e, a in zip(ends, start)), first.jump, start)


def field_after(
    name: str, args: tuple[Any, ...], options: dict[str, Any], fields: list[Field | None]
) -> Field | None:
    """The field behind a call of a torch function: a window's, its inputs' own, or ``None``.

    ``None`` says that an output sees everything, or nothing that can be told by a box: behind a dense layer, a
    global pooling, a transposed convolution.

    Arguments: ``fields`` of those arguments that depend on the input, one at least; the rest as in ``window_of``.
    """
    slid = window_of(name, args, options)
    if slid is not None:
        first = fields[0]
        return slid.over(first) if first is not None and len(first.size) == len(slid.kernel) else None
    known = [field for field in fields if field is not None]
    if name not in ENTRYWISE or len(known) < len(fields):
        return None
    if name in ("cat", "concat") and (args[1:] or (options.get("dim", 0),))[0] != 1:
        return None  # side by side, not channel under channel
    return united(known)


class Walk(TorchFunctionMode):
    """Follow the receptive field of every tensor that is made from the input in a block of torch calls.

    ``fields`` holds them by the tensors' ids. Arguments: ``x`` the input, its last ``axes`` axes are places.
    """

    def __init__(self, x: Tensor, axes: int) -> None:
        super().__init__()
        self.fields: dict[int, Field | None] = {id(x): point(axes)}
        self.alive = [x]  # so that no id is given twice

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = [*args, *kwargs.values()]
        flat = [part for arg in given for part in (arg if isinstance(arg, list | tuple) else [arg])]
        fields = [self.fields[id(part)] for part in flat if id(part) in self.fields]
        result = func(*args, **kwargs)
        if fields:
            name = func.__name__.strip("_")
            found = field_after(name, args, kwargs, fields)
            made = result if isinstance(result, list | tuple) else [args[0] if name == "setitem" else result]
            for tensor in made:
                if isinstance(tensor, Tensor):
                    self.fields[id(tensor)] = found
                    self.alive.append(tensor)
        return result


@dataclass(frozen=True)
class Seen:
    """What an entry of a layer's output sees: the layer's ``name`` and ``kind``, the output's shape, its field."""

    name: str
    kind: str
    shape: tuple[int, ...]
    field: Field | None


def receptive_fields(module: nn.Module, size: tuple[int, ...], channels: int | None = None) -> list[Seen]:
    """The receptive field of every layer, by following one empty picture through the module.

    Any module will do, also one with branches, whose fields are united; it is left as it was. The field is that of
    evaluation mode, in which a batch normalisation looks at no other place. Listed are the layers without layers
    inside, and those that do something more with what the layers inside them gave, in the order of their calls.

    Arguments:
        module: layers, an ``nn.Sequential`` for instance.
        size: places of the picture, (h, w).
        channels: of the picture; those of the first convolution if left out.

    >>> from ganglion.nn.convolution import conv
    >>> layers = nn.Sequential(conv(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), conv(4, 4, 3))
    >>> [(seen.kind, str(seen.field), seen.field.jump) for seen in receptive_fields(layers, (12, 12))][2:]
    [('MaxPool2d', '4x4', (2, 2)), ('Conv2d', '8x8', (2, 2))]
    """
    x = empty(module, size, channels)
    walk = Walk(x, len(size))
    found: list[Seen] = []
    listed: set[int] = set()

    def enter(name: str, layer: nn.Module, out: Any) -> None:
        if isinstance(out, Tensor) and (id(out) not in listed or not any(True for _ in layer.children())):
            listed.add(id(out))
            found.append(Seen(name, type(layer).__name__, tuple(out.shape[1:]), walk.fields.get(id(out))))

    handles = [
        layer.register_forward_hook(lambda layer, _, out, name=name: enter(name, layer, out))
        for name, layer in module.named_modules()
    ]
    try:
        with answering(module), walk:
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def empty(module: nn.Module, size: tuple[int, ...], channels: int | None = None) -> Tensor:
    """One picture of zeros (1, c, *size), as the first convolution takes it unless ``channels`` are given."""
    if channels is None:
        takes = (getattr(layer, "in_channels", None) for layer in module.modules())
        channels = next((n for n in takes if n is not None), 1)
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.zeros(1, channels, *size, dtype=like.dtype, device=like.device)


@contextmanager
def answering(module: nn.Module) -> Iterator[None]:
    """The block's module in evaluation mode and without gradients; every layer's mode is put back."""
    modes = [(layer, layer.training) for layer in module.modules()]
    try:
        with torch.no_grad():
            module.eval()
            yield
    finally:
        for layer, training in modes:
            layer.training = training


def gradient_map(module: nn.Module, pictures: Tensor, at: tuple[int, ...] | None = None) -> Tensor:
    """How much each place of the input moves one place of the output: ``sum |d sum_c y_(c, at) / dx|``.

    Summed over the pictures and their channels. Where it is not 0 lies the receptive field; how it falls off towards
    the edge is the effective one, which is much smaller (Luo et al. 2016, arXiv:1701.04128).

    Arguments:
        module: from pictures (n, c, h, w) to maps (n, c', h', w').
        pictures: (n, c, h, w); the more, the smoother.
        at: place (row, column) of the output; the middle if left out.

    Returns (h, w). Raises ``DataError`` where the output is no map or the place lies outside.

    >>> gradient_map(nn.Conv2d(1, 1, 3, padding=1), torch.randn(1, 1, 9, 9)).count_nonzero().item()
    9
    """
    modes = [(layer, layer.training) for layer in module.modules()]
    x = pictures.detach().clone().requires_grad_()
    try:
        with torch.enable_grad():
            out = module.eval()(x)
    finally:
        for layer, training in modes:
            layer.training = training
    place = tuple(n // 2 for n in out.shape[2:]) if at is None else at
    if (
        out.dim() != x.dim()
        or len(place) != out.dim() - 2
        or any(not 0 <= i < n for i, n in zip(place, out.shape[2:]))
    ):
        raise DataError(
            f"the output must be a map and the place inside it, got an output {tuple(out.shape)} and {place}; "
            "give the layers before the pooling over all places."
        )
    (gradient,) = torch.autograd.grad(out[(..., *place)].sum(), x)
    return gradient.abs().sum((0, 1))


def effective_size(gradients: Tensor) -> float:
    """The side of the effective receptive field: ``sqrt`` of the places with more than 4.55 % of the largest.

    What lies within two standard deviations of a Gaussian's middle (Luo et al. 2016, arXiv:1701.04128).

    Arguments: ``gradients`` (h, w), of ``gradient_map``.

    >>> effective_size(torch.tensor([[0.0, 0.04, 0.1, 0.04], [1.0, 0.5, 0.1, 0.0]]))
    2.0
    """
    return float((gradients > 0.0455 * gradients.max()).sum()) ** 0.5
