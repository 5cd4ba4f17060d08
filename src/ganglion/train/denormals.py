"""Numbers next to nothing: a CPU takes some hundred cycles for each product with one, and they change no weight."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def tiny_is_zero() -> Iterator[None]:
    """Single-precision numbers below 1.2e-38 (denormal ones) count as 0 inside the block, on this thread.

    What a recurrent network hands back through hundreds of places gets that small; ``benchmarks/denormals.py`` shows
    what it costs. Where a processor cannot do that, nothing happens.

    >>> with tiny_is_zero():
    ...     float(torch.full((1,), 1e-30) * 1e-10)
    0.0
    """
    before = float(torch.full((1,), 1e-30) * 1e-10) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
