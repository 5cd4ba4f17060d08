"""The chain rule of every operation: from the gradient that arrives at its output to those that leave it.

A rule takes ``g`` = dL/d(out), the result ``out`` and torch's own arguments, and gives dL/d(argument) by the
argument's name. Its first line is the formula that the table prints. What a rule cannot do it leaves to
autograd's derivative of that one operation, by raising ``NoFormula``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Gradients = dict[str, Any]


class NoFormula(Exception):
    """These arguments are not covered by the formula."""


RULES: dict[str, Callable[..., Gradients]] = {}
"""An operation's name -> its rule."""

COPIES = frozenset({
    "view", "reshape", "flatten", "squeeze", "unsqueeze", "unflatten", "view_as", "reshape_as", "expand",
    "expand_as", "permute", "transpose", "t", "T", "mT", "swapaxes", "swapdims", "movedim", "select",
    "getitem", "narrow", "index_select", "gather", "take_along_dim", "chunk", "split", "tensor_split",
    "unbind", "cat", "concat", "stack", "hstack", "vstack", "flip", "roll", "repeat", "tile",
    "repeat_interleave", "broadcast_to", "broadcast_tensors", "unfold", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "diagonal", "ravel", "split_with_sizes", "pad", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d",
})  # fmt: skip
"""Operations whose every result entry is a copy of an input entry, or a constant."""

STILL = COPIES | {"to", "contiguous", "clone"}
"""Operations that compute nothing: numbers change their place, or their kind, at most."""


def rule(*names: str) -> Callable[[Callable[..., Gradients]], Callable[..., Gradients]]:
    """Enter a rule under torch's names of the operation."""

    def enter(function: Callable[..., Gradients]) -> Callable[..., Gradients]:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def fold(g: Tensor, like: Any) -> Tensor:
    """A gradient summed over the axes along which its tensor was repeated by broadcasting."""
    if not isinstance(like, Tensor):
        return g  # a plain number, whose gradient nobody asks for
    extra = g.dim() - like.dim()
    axes = [i for i in range(g.dim()) if i < extra or (like.shape[i - extra] == 1 and g.shape[i] > 1)]
    return (g.sum(axes) if axes else g).reshape(like.shape).to(like.dtype)


@rule("linear")
def linear(g: Tensor, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None) -> Gradients:
    """z = x W^T + b:  dL/dx = dL/dz W,  dL/dW = dL/dz^T x,  dL/db = sum dL/dz."""
    rows, sums = input.reshape(-1, input.shape[-1]), g.reshape(-1, weight.shape[0])
    return {"input": g @ weight, "weight": sums.t() @ rows, "bias": sums.sum(0)}


@rule("matmul", "mm", "bmm")
def matmul(g: Tensor, out: Tensor, input: Tensor, mat2: Tensor) -> Gradients:
    """C = A B:  dL/dA = dL/dC B^T,  dL/dB = A^T dL/dC."""
    a = input[None] if input.dim() == 1 else input
    b = mat2[:, None] if mat2.dim() == 1 else mat2
    g = g.reshape(*torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    to_a, to_b = fold(g @ b.mT, a), fold(a.mT @ g, b)
    return {"input": to_a.reshape(input.shape), "mat2": to_b.reshape(mat2.shape)}


@rule("addmm", "baddbmm")
def addmm(
    g: Tensor, out: Tensor, input: Tensor, mat1: Tensor, mat2: Tensor, beta: float = 1, alpha: float = 1
) -> Gradients:
    """C = b + A B:  dL/dA = dL/dC B^T,  dL/dB = A^T dL/dC,  dL/db = dL/dC."""
    return {"input": fold(beta * g, input), "mat1": alpha * g @ mat2.mT, "mat2": alpha * mat1.mT @ g}


@rule("add")
def add(g: Tensor, out: Tensor, input: Any, other: Any, alpha: float = 1) -> Gradients:
    """c = a + b:  both get dL/dc unchanged."""
    return {"input": fold(g, input), "other": fold(alpha * g, other)}


@rule("sub")
def sub(g: Tensor, out: Tensor, input: Any, other: Any, alpha: float = 1) -> Gradients:
    """c = a - b:  dL/da = dL/dc,  dL/db = -dL/dc."""
    return {"input": fold(g, input), "other": fold(-alpha * g, other)}


@rule("rsub")
def rsub(g: Tensor, out: Tensor, input: Any, other: Any, alpha: float = 1) -> Gradients:
    """c = b - a:  dL/da = -dL/dc,  dL/db = dL/dc."""
    return {"input": fold(-alpha * g, input), "other": fold(g, other)}


@rule("mul")
def mul(g: Tensor, out: Tensor, input: Any, other: Any) -> Gradients:
    """c = a b:  dL/da = dL/dc b,  dL/db = dL/dc a."""
    return {"input": fold(g * other, input), "other": fold(g * input, other)}


@rule("div")
def div(g: Tensor, out: Tensor, input: Any, other: Any, rounding_mode: Any = None) -> Gradients:
    """c = a / b:  dL/da = dL/dc / b,  dL/db = -dL/dc c / b."""
    if rounding_mode is not None:
        raise NoFormula
    return {"input": fold(g / other, input), "other": fold(-g * out / other, other)}


@rule("rdiv")
def rdiv(g: Tensor, out: Tensor, input: Any, other: Any) -> Gradients:
    """c = b / a:  dL/da = -dL/dc c / a,  dL/db = dL/dc / a."""
    return {"input": fold(-g * out / input, input), "other": fold(g / input, other)}


@rule("pow")
def power(g: Tensor, out: Tensor, input: Any, exponent: Any) -> Gradients:
    """c = a^n:  dL/da = dL/dc n a^(n-1)."""
    if isinstance(exponent, Tensor) or not isinstance(input, Tensor):
        raise NoFormula
    return {"input": g * exponent * input ** (exponent - 1) if exponent else torch.zeros_like(input)}


@rule("maximum", "minimum")
def larger(g: Tensor, out: Tensor, input: Tensor, other: Tensor) -> Gradients:
    """The chosen one of the two gets dL/dc; equal ones half each."""
    a, b = torch.broadcast_tensors(input, other)
    first = torch.where(a == b, 0.5, (out == a).to(g.dtype))
    return {"input": fold(g * first, input), "other": fold(g * (1 - first), other)}


@rule("where")
def where(g: Tensor, out: Tensor, condition: Tensor, input: Any, other: Any) -> Gradients:
    """The chosen one of the two gets dL/dc, the other one nothing."""
    zero = torch.zeros_like(g)
    return {"input": fold(torch.where(condition, g, zero), input),
            "other": fold(torch.where(condition, zero, g), other)}  # fmt: skip


@rule("masked_fill")
def masked_fill(g: Tensor, out: Tensor, input: Tensor, mask: Tensor, value: Any) -> Gradients:
    """Entries that were overwritten get nothing."""
    return {"input": fold(g.masked_fill(mask, 0), input), "value": (g * mask).sum()}


@rule("copy")
def copy(g: Tensor, out: Tensor, input: Tensor, other: Tensor, non_blocking: bool = False) -> Gradients:
    """The overwritten tensor gets nothing, the written one dL/dc."""
    return {"input": torch.zeros_like(input), "other": fold(g, other)}


@rule("to", "contiguous", "clone")
def same(g: Tensor, out: Tensor, input: Tensor, *how: Any, **options: Any) -> Gradients:
    """The same numbers: dL/dc unchanged."""
    return {"input": g.to(input.dtype)}


@rule("dropout")
def dropout(g: Tensor, out: Tensor, input: Tensor, mask: Tensor) -> Gradients:
    """c = a mask / (1 - p):  dL/da = dL/dc mask / (1 - p), the same mask as forwards."""
    return {"input": g * mask}


@rule("sum")
def total(
    g: Tensor, out: Tensor, input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Gradients:
    """c = sum a:  every entry gets dL/dc."""
    return {"input": spread(g, input, dim, keepdim)}


@rule("mean")
def mean(
    g: Tensor, out: Tensor, input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Gradients:
    """c = (sum a) / n:  every entry gets dL/dc / n."""
    return {"input": spread(g, input, dim, keepdim) * (out.numel() / input.numel())}


def spread(g: Tensor, like: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """A gradient of a sum over ``dim`` as it stands at every entry that was summed."""
    if not keepdim:
        dims = range(like.dim()) if dim is None or dim == () else [dim] if isinstance(dim, int) else dim
        for axis in sorted(d % max(like.dim(), 1) for d in dims):
            g = g.unsqueeze(axis)
    return g.expand(like.shape).to(like.dtype)


@rule("amax", "amin")
def extreme(g: Tensor, out: Tensor, input: Tensor, dim: Any = (), keepdim: bool = False) -> Gradients:
    """c = the largest (smallest) entry:  it gets dL/dc, equal ones share it, the others nothing."""
    chosen = (input == spread(out, input, dim, keepdim)).to(g.dtype)
    axes = list(range(input.dim())) if dim in ((), None) else dim
    return {"input": spread(g, input, dim, keepdim) * chosen / chosen.sum(axes, keepdim=True)}


@rule("linalg_vector_norm")
def length(
    g: Tensor,
    out: Tensor,
    x: Tensor,
    ord: float = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Gradients:
    """n = |a|:  dL/da = dL/dn a / n."""
    if ord != 2:
        raise NoFormula
    n = spread(out, x, dim, keepdim)
    return {"x": torch.where(n > 0, spread(g, x, dim, keepdim) * x / n, 0.0)}


@rule("var")
def variance(
    g: Tensor, out: Tensor, input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
    correction: Any = None,
) -> Gradients:  # fmt: skip
    """v = sum (a - mean)^2 / m:  dL/da = dL/dv 2 (a - mean) / m."""
    lost = int(unbiased) if correction is None else correction
    if isinstance(dim, bool):
        raise NoFormula
    middle = input.mean(dim, keepdim=True)
    m = input.numel() / middle.numel() - lost
    return {"input": spread(g, input, dim, keepdim) * 2 * (input - middle) / m}


@rule("glu")
def glu(g: Tensor, out: Tensor, input: Tensor, dim: int = -1) -> Gradients:
    """h = a sigmoid(b):  dL/da = dL/dh sigmoid(b),  dL/db = dL/dh h (1 - sigmoid(b))."""
    gate = torch.sigmoid(input.chunk(2, dim)[1])
    return {"input": torch.cat([g * gate, g * out * (1 - gate)], dim)}


@rule("cumsum")
def cumsum(g: Tensor, out: Tensor, input: Tensor, dim: int) -> Gradients:
    """c_i = sum of a_j, j <= i:  dL/da_j = sum of dL/dc_i, i >= j."""
    return {"input": g.flip(dim).cumsum(dim).flip(dim)}


@rule("softmax")
def softmax(
    g: Tensor, out: Tensor, input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None
) -> Gradients:
    """p = softmax(z):  dL/dz = p (dL/dp - sum p dL/dp)."""
    if dim is None:
        raise NoFormula
    return {"input": out * (g - (out * g).sum(dim, keepdim=True))}


@rule("log_softmax")
def log_softmax(
    g: Tensor, out: Tensor, input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: Any = None
) -> Gradients:
    """l = log softmax(z):  dL/dz = dL/dl - softmax(z) sum dL/dl."""
    if dim is None:
        raise NoFormula
    return {"input": g - out.exp() * g.sum(dim, keepdim=True)}


@rule("logsumexp")
def logsumexp(g: Tensor, out: Tensor, input: Tensor, dim: Any, keepdim: bool = False) -> Gradients:
    """s = log sum exp z:  dL/dz = dL/ds softmax(z)."""
    return {"input": spread(g, input, dim, keepdim) * (input - spread(out, input, dim, keepdim)).exp()}


@rule("prelu")
def prelu(g: Tensor, out: Tensor, input: Tensor, weight: Tensor) -> Gradients:
    """h = z where z > 0, else a z:  dL/dz = dL/dh (1 or a),  dL/da = sum dL/dh z where z <= 0."""
    shape = [1] * input.dim()
    if input.dim() > 1 and weight.numel() > 1:
        shape[1] = weight.numel()
    per_channel = weight.reshape(shape if input.dim() else ())
    below = torch.where(input > 0, torch.zeros_like(input), g * input)
    return {"input": torch.where(input > 0, g, g * per_channel),
            "weight": fold(below, per_channel).reshape(weight.shape)}  # fmt: skip


@rule("embedding")
def embedding(
    g: Tensor, out: Tensor, input: Tensor, weight: Tensor, padding_idx: Any = None, max_norm: Any = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Gradients:  # fmt: skip
    """e = W[codes]:  each row of W gets the sum of dL/de over the places where it was looked up."""
    if scale_grad_by_freq:
        raise NoFormula
    codes, rows = input.reshape(-1), g.reshape(-1, weight.shape[1])
    if padding_idx is not None:
        rows = rows * (codes != padding_idx % len(weight))[:, None]
    return {"weight": torch.zeros_like(weight).index_add_(0, codes, rows)}


@rule("scaled_dot_product_attention")
def attention(
    g: Tensor, out: Tensor, query: Tensor, key: Tensor, value: Tensor, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: Any = None, enable_gqa: bool = False,
) -> Gradients:  # fmt: skip
    """o = softmax(q k^T s) v:  dL/dv = P^T dL/do,  dS = P (dP - sum P dP) with dP = dL/do v^T."""
    if dropout_p or enable_gqa:
        raise NoFormula
    s = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.mT * s
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=g.device).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if attn_mask is not None:
        masked = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if masked else scores + attn_mask
    p = torch.softmax(scores, -1)
    to_p = g @ value.mT
    to_s = p * (to_p - (p * to_p).sum(-1, keepdim=True))
    return {"query": fold(to_s @ key * s, query), "key": fold(to_s.mT @ query * s, key),
            "value": fold(p.mT @ g, value), "attn_mask": fold(to_s, attn_mask)}  # fmt: skip
