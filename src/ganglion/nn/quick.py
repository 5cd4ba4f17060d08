"""Large float32 products on the CPU by oneDNN's kernels, where they are known to be quicker than MKL's.

torch multiplies float32 matrices by MKL. On AMD processors with AVX-512 the kernels of oneDNN, which torch also
carries, take half the time from about two million multiplications on, and are as exact (measured, see
``docs/speed.md``). Which one computes follows from processor and shapes alone, so a run repeats to the bit.
"""

import math
import platform
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

LEAST_MULTIPLICATIONS = 2**21  # below, the call costs more than it saves
LEAST_MULTIPLICATIONS_TURNED = 2**22  # the same with both factors turned: the weights' gradient
LEAST_INPUTS_TURNED = 64  # its rows, when shorter, are turned too slowly


@cache
def onednn_is_quicker() -> bool:
    """Whether this is a processor on which oneDNN was measured to win."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and is_amd()


def is_amd() -> bool:
    """Whether AMD made the processor."""
    return "AuthenticAMD" in _processor()


def _processor() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()[:200]
    except OSError:
        return platform.processor()


def quick_from(weight: Tensor) -> tuple[float, float]:
    """From how many rows on ``product`` is quicker for a layer's weight (outputs, inputs).

    The first number is for outputs and input gradients, the second for the weight's gradient; infinite for
    never.
    """
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not onednn_is_quicker():
        return math.inf, math.inf
    size, inputs = max(weight.numel(), 1), weight.shape[1]
    turned = LEAST_MULTIPLICATIONS_TURNED / size if inputs >= LEAST_INPUTS_TURNED else math.inf
    return LEAST_MULTIPLICATIONS / size, turned


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """``a b^T + bias`` for a (n, k), b (m, k), bias (m,) by oneDNN; either factor may be a transposed view."""
    return torch.ops.mkldnn._linear_pointwise.default(a, b, bias, "none", [], "")
