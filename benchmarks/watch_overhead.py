"""What watching costs: off, default and full, interleaved on networks of three sizes, with equal weights.

    python benchmarks/watch_overhead.py

Time is that of training alone (``record_.seconds``), so what comes before and after does not hide the watchers. An
overhead is the median over rounds of (level / off) - 1 within the round. After every round the weights of the three
levels must be the same to the bit.
"""

import argparse
import time
import warnings
from statistics import median

import numpy as np
import torch
from _shared import machine, table

import ganglion

LEVELS = ("off", "default", "full")
ALLOWED = {"default": 0.03, "full": 0.15}
# name -> rows, columns, hidden layers, epochs
SIZES = {
    "small": (1000, 10, (32,), 60),
    "medium": (5000, 30, (256, 256), 25),
    "large": (12000, 100, (512, 512, 512), 12),
}


def trained(size: str, level: str) -> tuple[float, float, ganglion.MLPClassifier]:
    """Seconds of training, seconds of processor time of the fit, and the network."""
    n, columns, hidden, epochs = SIZES[size]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, columns)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
    network = ganglion.MLPClassifier(
        hidden_layer_sizes=hidden, max_epochs=epochs, early_stopping=False, bins=0, watch=level
    )
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(X, y)
    return network.record_.seconds, time.process_time() - begin, network


def same_weights(networks: dict[str, ganglion.MLPClassifier]) -> bool:
    """Whether all levels ended in the same bits."""
    first, *others = ([*net.module_.state_dict().values()] for net in networks.values())
    return all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def measure(size: str, rounds: int) -> tuple[list[object], dict[str, float]]:
    """A row of the table, and the overheads by the clock."""
    for level in LEVELS:
        trained(size, level)  # warm up
    clock: dict[str, list[float]] = {level: [] for level in LEVELS}
    processor: dict[str, list[float]] = {level: [] for level in LEVELS}
    for turn in range(rounds):
        networks = {}
        for level in LEVELS[turn % 3 :] + LEVELS[: turn % 3]:
            seconds, worked, networks[level] = trained(size, level)
            clock[level].append(seconds)
            processor[level].append(worked)
        if not same_weights(networks):
            raise SystemExit(f"{size}: watching changed the weights")
    record = networks["full"].record_
    moments = len({row["step"] for row in record.layers})
    kinds = [sum(row["kind"] == kind for row in record.probes) for kind in ("noise", "curvature")]
    over = {
        level: [median(a / b for a, b in zip(times[level], times["off"])) - 1 for times in (clock, processor)]
        for level in LEVELS[1:]
    }
    steps = record.history[-1]["step"]
    row = [f"{size}, {SIZES[size][2]}", f"{steps:,}", f"{1e6 * median(clock['off']) / steps:.0f}",
           *(f"{100 * over[level][0]:+.1f} % ({100 * over[level][1]:+.1f} %)" for level in LEVELS[1:]),
           f"{moments} / {kinds[0]} / {kinds[1]}"]  # fmt: skip
    return row, {level: over[level][0] for level in over}


def main() -> None:
    """Print the table, and whether the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    found = {size: measure(size, chosen.rounds) for size in SIZES}
    head = [
        "network",
        "steps",
        "µs per step",
        "default: clock (processor)",
        "full",
        "layers / noise / curvature",
    ]
    print(table(head, [row for row, _ in found.values()]))
    worst = {level: max(over[level] for _, over in found.values()) for level in LEVELS[1:]}
    for level, bound in ALLOWED.items():
        verdict = "within" if worst[level] <= bound else "ABOVE"
        print(f"{level}: at worst {100 * worst[level]:+.1f} %, {verdict} the {100 * bound:.0f} % allowed")
    print(f"weights equal to the bit in all rounds; {machine()}")


if __name__ == "__main__":
    main()
