"""Claim: numbers next to nothing make recurrent cells slow on a CPU, and training takes them as 0.

    python benchmarks/denormals.py [--rounds 3]

``SequenceClassifier`` on 500 series of 300 to 400 places, four epochs, as it is and with ``tiny_is_zero`` taken out, in
turns on one thread.
"""

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from _shared import interleave, machine, ratio, table, timed

from ganglion import SequenceClassifier
from ganglion.estimators.sequences import network


def series() -> tuple[list[np.ndarray], np.ndarray]:
    """Noise of 12 channels, of which the class's lies a little higher."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 500)
    return [rng.normal(size=(rng.integers(300, 401), 12)) + 0.3 * np.eye(12)[label] for label in y], y


def fit(cell: str, around: Callable[[], Any]) -> None:
    """One fit, with or without the context."""
    network.tiny_is_zero = around
    SequenceClassifier(
        cell=cell, units=64, layers=1, bidirectional=False, pool="last", max_epochs=4, batch_size=64, dropout=0.0,
        validation_fraction=0, random_state=0, watch="off",
    ).fit(*series())  # fmt: skip


def main() -> None:
    """A row for each cell."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=3)
    rounds, rows, real = ask.parse_args().rounds, [], network.tiny_is_zero
    torch.set_num_threads(1)
    for cell in ("rnn", "gru", "lstm"):
        runs = {
            name: partial(timed, partial(fit, cell, around))
            for name, around in (("as it is", real), ("without", nullcontext))
        }
        taken, _ = interleave(runs, rounds)
        seconds = [f"{median(clock for clock, _ in taken[name]):.2f}" for name in runs]
        rows.append([cell, *seconds, f"{ratio(taken, 'as it is', 'without'):.2f}"])
    print(table(["cell", "seconds a fit", "without", "ratio"], rows))
    print(machine())


if __name__ == "__main__":
    main()
