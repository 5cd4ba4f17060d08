"""A landscape of 51 x 51 points of a dense network on all 1,797 digits, against evaluating the points one by one.

    python benchmarks/landscape_speed.py

Both ways are interleaved; medians of 5. One by one means: write the weights of a point into the network and call it,
in evaluation mode and without gradients, the quickest plain way. A third network has few rows, where calls decide, and
a fourth is convolutional and goes point by point in both.
"""

import argparse
import itertools
import json
import statistics
import time

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from ganglion.diagnose.landscape import filter_ways, landscape

SIZE = 51


def dense(*widths: int) -> nn.Sequential:
    """Dense layers with ReLU between."""
    layers = [m for a, b in itertools.pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def convolutional() -> nn.Sequential:
    """A small network for pictures of 8 x 8."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)
    )


NETS = {
    "64-64-64-10, 1,797 rows": (lambda: dense(64, 64, 64, 10), 1797, SIZE),
    "64-64-64-64-10, 1,797 rows": (lambda: dense(64, 64, 64, 64, 10), 1797, SIZE),
    "64-64-64-10, 32 rows": (lambda: dense(64, 64, 64, 10), 32, SIZE),
    "convolutional, 200 rows": (convolutional, 200, SIZE),
}


@torch.no_grad()
def one_by_one(module: nn.Module, x: torch.Tensor, cost, size: int) -> torch.Tensor:
    """The same grid, point by point."""
    first, second = filter_ways(module, 2, 0)
    centre = {k: p.detach().clone() for k, p in module.named_parameters()}
    at = ((torch.arange(size, dtype=torch.float64) - size // 2) / (size // 2)).tolist()
    grid = torch.empty(size, size, dtype=torch.float64)
    for i, a in enumerate(at):
        for j, b in enumerate(at):
            for k, p in module.named_parameters():
                p.copy_(centre[k]).add_(first[k], alpha=a).add_(second[k], alpha=b)
            grid[i, j] = cost(module(x))
    for k, p in module.named_parameters():
        p.copy_(centre[k])
    return grid


def measure(name: str, repeats: int) -> dict:
    """Medians of both ways, in seconds."""
    make, rows, size = NETS[name]
    digits = load_digits()
    x = torch.as_tensor(digits.data[:rows] / 16.0, dtype=torch.float32)
    y = torch.as_tensor(digits.target[:rows])
    torch.manual_seed(0)
    module = make().eval()

    def cost(output: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(output, y)

    times: dict[str, list[float]] = {"landscape": [], "one by one": []}
    for _ in range(repeats):
        begin = time.perf_counter()
        found = landscape(module, x, cost, size=size, curvature=False)
        times["landscape"].append(time.perf_counter() - begin)
        begin = time.perf_counter()
        grid = one_by_one(module, x, cost, size)
        times["one by one"].append(time.perf_counter() - begin)
    torch.testing.assert_close(torch.tensor(found.loss), grid.float(), rtol=1e-4, atol=1e-5)
    medians = {k: statistics.median(v) for k, v in times.items()}
    return {"network": name, **medians, "ratio": medians["landscape"] / medians["one by one"]}


def main() -> None:
    """Print a row per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", help="also write the rows to this file")
    chosen = parser.parse_args()
    rows = [measure(name, chosen.repeats) for name in NETS]
    print(f"| network | landscape (s) | one by one (s) | ratio |   ({torch.get_num_threads()} threads)")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row['network']} | {row['landscape']:.3f} | {row['one by one']:.3f} | {row['ratio']:.2f} |")
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
