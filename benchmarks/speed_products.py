"""Claim: oneDNN's float32 products take about half the time of MKL's on this processor, and are as exact.

    python benchmarks/speed_products.py [--rounds 7]

One thread, both libraries taking turns; the three products of a dense layer with n rows: its output, the gradient
of its input, and the gradient of its weights. ``ganglion.nn.quick`` holds the rule that follows, made of the
processor and the shapes; the last column says what it chooses here.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from _shared import machine, table

from ganglion.nn.quick import product, quick_from

SHAPES = [  # rows, inputs, outputs
    (32, 64, 64),
    (32, 256, 256),
    (256, 64, 64),
    (256, 100, 256),
    (256, 256, 10),
    (256, 256, 256),
    (1024, 100, 512),
    (1024, 512, 10),
    (1024, 512, 512),
    (1024, 1024, 1024),
    (8192, 20, 64),
    (8192, 256, 256),
]
SLICE = 0.01  # seconds of one measurement


def cost(work: Callable[[], object]) -> float:
    """Processor seconds of one call, over many."""
    start = time.perf_counter()
    work()
    calls = max(2, int(SLICE / max(time.perf_counter() - start, 1e-6)))
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls


def error(found: torch.Tensor, truth: torch.Tensor) -> float:
    """Relative error in the 2-norm against double precision."""
    return float((found.double() - truth).norm() / truth.norm())


def row(n: int, inputs: int, outputs: int, rounds: int) -> list[str]:
    """Speed-ups, errors and choices of one shape."""
    x, w, b, g = (torch.randn(s) for s in ((n, inputs), (outputs, inputs), (outputs,), (n, outputs)))
    x64, w64, b64, g64 = (t.double() for t in (x, w, b, g))
    into = torch.zeros(outputs, inputs)
    pairs = [  # by MKL, by oneDNN
        (lambda: torch.addmm(b, x, w.t()), lambda: product(x, w, b)),
        (lambda: g.mm(w), lambda: product(g, w.t())),
        (lambda: into.addmm_(g.t(), x), lambda: into.add_(product(g.t(), x.t()))),
    ]
    taken = [[[cost(work) for work in pair] for pair in pairs] for _ in range(rounds)]
    gains = [median(t[i][0] for t in taken) / median(t[i][1] for t in taken) for i in range(3)]
    exact = [torch.addmm(b64, x64, w64.t()), g64.mm(w64), g64.t().mm(x64)]
    mkl = [torch.addmm(b, x, w.t()), g.mm(w), g.t().mm(x)]
    onednn = [product(x, w, b), product(g, w.t()), product(g.t(), x.t())]
    worst = [max(error(f, t) for f, t in zip(found, exact)) for found in (mkl, onednn)]
    start, turned = quick_from(w)
    chosen = "oneDNN" if n >= turned else "oneDNN, weights by MKL" if n >= start else "MKL"
    size = f"{n * inputs * outputs / 1e6:.1f}"
    return [
        f"{n}, {inputs}, {outputs}",
        size,
        *(f"{s:.2f}" for s in gains),
        *(f"{e:.1e}" for e in worst),
        chosen,
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"## Products of a dense layer: time by MKL over time by oneDNN\n\n{machine()}\n")
    with torch.no_grad():
        rows = [row(*shape, options.rounds) for shape in SHAPES]
    head = ["rows, inputs, outputs", "million multiplications", "output", "input gradient", "weight gradient"]
    print(table([*head, "error by MKL", "by oneDNN", "chosen"], rows))


if __name__ == "__main__":
    main()
