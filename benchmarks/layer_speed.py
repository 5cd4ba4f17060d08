"""Milliseconds of single layers forwards and backwards, on one core, medians of interleaved runs.

python benchmarks/layer_speed.py
"""

import statistics
import time

import torch
from torch import nn

from ganglion.nn.convolution import conv, separable
from ganglion.nn.pooling import pool_named

RUNS = 15


def once(layer: nn.Module, x: torch.Tensor) -> float:
    """Milliseconds of one pass there and back."""
    start = time.perf_counter()
    out = layer(x)
    out.backward(torch.ones_like(out))
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    """Print a line for each layer."""
    torch.set_num_threads(1)
    x = torch.randn(32, 64, 28, 28).to(memory_format=torch.channels_last).requires_grad_()
    layers = {"conv 3x3": conv(64, 64, 3), "separable 3x3": separable(64, 64, 3), "conv 1x1": conv(64, 64, 1)}
    layers |= {name: pool_named(name) for name in ("max", "average", "blur", "max_blur")}
    times: dict[str, list[float]] = {name: [] for name in layers}
    for layer in layers.values():
        layer.to(memory_format=torch.channels_last)
        once(layer, x)
    for _ in range(RUNS):
        for name, layer in layers.items():
            times[name].append(once(layer, x))
    for name, found in times.items():
        print(f"{name:<14} {statistics.median(found):6.1f} ms")


if __name__ == "__main__":
    main()
