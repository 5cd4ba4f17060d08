"""The local derivative of every function that works entry by entry: ``f'(z)``, written from the formula.

Each takes the result ``h = f(z)`` first and then torch's own arguments; at a kink the value is torch's choice.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, arXiv:1706.02515


def _gelu(h: Tensor, input: Tensor, approximate: str = "none") -> Tensor:
    z = input
    if approximate == "none":
        bell = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return (1 + torch.erf(z / math.sqrt(2))) / 2 + z * bell
    rate = math.sqrt(2 / math.pi)
    t = torch.tanh(rate * (z + 0.044715 * z**3))
    return (1 + t) / 2 + z / 2 * (1 - t * t) * rate * (1 + 3 * 0.044715 * z * z)


def _mish(h: Tensor, input: Tensor, inplace: bool = False) -> Tensor:
    z = input
    t = torch.tanh(torch.log1p(torch.exp(-z.abs())) + z.clamp(min=0))
    return t + z * (1 - t * t) * torch.sigmoid(z)


def _softplus(h: Tensor, input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    return torch.where(beta * input > threshold, torch.ones_like(input), torch.sigmoid(beta * input))


def _silu(h: Tensor, input: Tensor, inplace: bool = False) -> Tensor:
    s = torch.sigmoid(input)
    return s * (1 + input * (1 - s))


def _elu(h: Tensor, input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return torch.where(input > 0, torch.ones_like(input), alpha * torch.exp(input.clamp(max=0)))


def _selu(h: Tensor, input: Tensor, inplace: bool = False) -> Tensor:
    return SELU_SCALE * _elu(h, input, SELU_ALPHA)


def _celu(h: Tensor, input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return torch.where(input > 0, torch.ones_like(input), torch.exp(input.clamp(max=0) / alpha))


def _between(input: Tensor, low: Any, high: Any) -> Tensor:
    inside = torch.ones_like(input, dtype=torch.bool)
    inside = inside if low is None else inside & (input > low)
    return (inside if high is None else inside & (input < high)).to(input.dtype)


def _hardtanh(
    h: Tensor, input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    return _between(input, min_val, max_val)


def _clamp(h: Tensor, input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    low = input >= min if min is not None else input == input
    return (low & (input <= max) if max is not None else low).to(input.dtype)


def _hardswish(h: Tensor, input: Tensor, inplace: bool = False) -> Tensor:
    middle = torch.where(input < 3, input / 3 + 0.5, torch.ones_like(input))
    return torch.where(input <= -3, torch.zeros_like(input), middle)


def _softshrink(h: Tensor, input: Tensor, lambd: float = 0.5) -> Tensor:
    return (input.abs() > lambd).to(input.dtype)


def _leaky(h: Tensor, input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return torch.where(input > 0, torch.ones_like(input), negative_slope)


SLOPES: dict[str, Callable[..., Tensor]] = {
    "relu": lambda h, input, inplace=False: (input > 0).to(input.dtype),
    "leaky_relu": _leaky,
    "relu6": lambda h, input, inplace=False: _between(input, 0, 6),
    "elu": _elu,
    "selu": _selu,
    "celu": _celu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "sigmoid": lambda h, input: h * (1 - h),
    "tanh": lambda h, input: 1 - h * h,
    "logsigmoid": lambda h, input: torch.sigmoid(-input),
    "softsign": lambda h, input: (1 + input.abs()) ** -2,
    "tanhshrink": lambda h, input: torch.tanh(input) ** 2,
    "hardtanh": _hardtanh,
    "hardsigmoid": lambda h, input, inplace=False: _between(input, -3, 3) / 6,
    "hardswish": _hardswish,
    "softshrink": _softshrink,
    "hardshrink": _softshrink,
    "threshold": lambda h, input, threshold, value, inplace=False: (input > threshold).to(input.dtype),
    "clamp": _clamp,
    "exp": lambda h, input: h,
    "expm1": lambda h, input: h + 1,
    "log": lambda h, input: 1 / input,
    "log1p": lambda h, input: 1 / (1 + input),
    "sqrt": lambda h, input: 0.5 / h,
    "rsqrt": lambda h, input: -0.5 * h**3,
    "reciprocal": lambda h, input: -h * h,
    "square": lambda h, input: 2 * input,
    "sin": lambda h, input: torch.cos(input),
    "cos": lambda h, input: -torch.sin(input),
    "erf": lambda h, input: 2 / math.sqrt(math.pi) * torch.exp(-input * input),
    "abs": lambda h, input: torch.sign(input),
    "sign": lambda h, input: torch.zeros_like(input),
    "clamp_min": lambda h, input, min: _clamp(h, input, min=min),
    "clamp_max": lambda h, input, max: _clamp(h, input, max=max),
    "neg": lambda h, input: -torch.ones_like(input),
}
