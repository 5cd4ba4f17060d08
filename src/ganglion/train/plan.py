"""The plan: how a run computes, chosen from shapes and machine by a fixed rule, never by timing."""

import math
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import torch
from threadpoolctl import ThreadpoolController

from ganglion.nn.quick import is_amd

# Two threads help only above about half a millisecond of work per chain of operations; at about
# 100 GFLOP/s a core that is 5e7 operations (measured, see the speed page).
THREADS_ABOVE_FLOPS = 5e7
# Whole-batch training on little data computes in double precision: a step is bound by its calls, not by its
# arithmetic, and then integer weights equal repeated rows to 1e-7 as they do on paper.
DOUBLE_BELOW_NUMBERS = 1_000_000
# Networks this small answer in double precision on a CPU, so that a row's prediction does not depend on the
# rows beside it.
DOUBLE_ANSWER_BELOW_PARAMETERS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How a run computes; two runs on the same plan end in the same bits."""

    device: str
    threads: int
    precision: str
    backward: str
    optimizer: str
    batch_size: int
    n_parameters: int
    torch: str
    cpu: str
    products: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def in_worker() -> bool:
    """Whether this process is somebody's worker, where more than one thread would fight its siblings."""
    return multiprocessing.parent_process() is not None or "LOKY_WORKER" in os.environ


def choose_threads(flops_per_step: float) -> int:
    """One thread for small networks and inside workers, else what torch was given."""
    if in_worker() or flops_per_step < THREADS_ABOVE_FLOPS:
        return 1
    return torch.get_num_threads()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with ``n`` threads inside the block, with the former number after it."""
    before = torch.get_num_threads()
    if n != before:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if n != before:
            torch.set_num_threads(before)


@cache
def _numpy_pools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def numpy_on_one_thread() -> Iterator[None]:
    """NumPy and SciPy multiply on one thread inside the block.

    Around a network they solve systems of a few hundred unknowns: on two threads, while another process computes,
    the simple models beside a fit took ten times as long as on one (measured), and never less than it.
    """
    with _numpy_pools().limit(limits=1, user_api="blas"):
        yield


def choose_precision(wanted: str, device: torch.device, whole_batch: bool, numbers: int) -> str:
    """``"float32"`` unless asked otherwise, or double precision where it costs nothing."""
    if wanted != "auto":
        return wanted
    cheap = device.type == "cpu" and whole_batch and numbers <= DOUBLE_BELOW_NUMBERS
    return "float64" if cheap else "float32"


def bf16_is_quicker(device: torch.device) -> bool:
    """Whether the device multiplies numbers of 16 bits in hardware, and quicker than those of 32.

    Of processors with AVX512-BF16 those with AMX tiles and AMD's are four times as quick or more in them, and an Intel
    Xeon without tiles took twice the time (measured).
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not torch.cpu._is_avx512_bf16_supported():
        return False
    return torch.cpu._is_amx_tile_supported() or is_amd()


BF16_FROM_UNITS = {
    "lstm": 64,
    "transformer": 128,
}  # narrower products gain nothing, other cells have no kernels


def sequence_precision(cell: str, units: int, device: torch.device) -> str:
    """Half precision for sequences where the device is quicker in it and the network is wide enough to gain."""
    gains = units >= BF16_FROM_UNITS.get(cell, math.inf)
    return "bf16" if gains and bf16_is_quicker(device) else "float32"


def auto_batch_size(n: int) -> int:
    """The power of two next to n / 64, from 8 to 256: some 64 steps an epoch on small data."""
    return int(min(256, max(8, 2 ** round(torch.tensor(max(n, 1) / 64.0).log2().item()))))
