"""Claim: LSTM, GRU and transformer solve the adding problem at length 200, and the plain RNN does not.

    python benchmarks/long_dependencies.py [--length 200] [--cells rnn lstm gru transformer] [--epochs 30] [--quick]

Series of random numbers with two of them marked; what is asked for is the sum of the two (Hochreiter and Schmidhuber
1997). Telling the mean has an error of 1/6; solved is 0.01. Recurrent cells read forwards, answer from the last place.
Beside it how much the answer of the untrained and of the trained network depends on a place so many places before the
end: the mean norm of ``dy / dx_{T - lag}``, as a share of that at lag 0.
"""

import argparse
import time

import numpy as np
import torch
from _shared import machine, table

from ganglion import SequenceRegressor

LAGS = (0, 10, 50, 100, 199)


def adding(n: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series (n, T, 2) of numbers and marks, one mark in each half, and the sums of the marked numbers."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n, length, 2), np.float32)
    X[..., 0] = rng.random((n, length))
    places = np.stack([rng.integers(0, length // 2, n), rng.integers(length // 2, length, n)], 1)
    np.put_along_axis(X[..., 1], places, 1.0, 1)
    return X, np.take_along_axis(X[..., 0], places, 1).sum(1)


def slopes(model: SequenceRegressor, X: np.ndarray, lags: list[int]) -> list[float]:
    """The mean norm of the answer's gradient at places before the end, as a share of that at the end."""
    x = torch.from_numpy(X[:100]).requires_grad_()
    model.module_(x).sum().backward()
    norms = x.grad.norm(dim=2).mean(0) if x.grad is not None else torch.zeros(X.shape[1])
    return [float(norms[-1 - lag] / norms[-1].clamp(min=1e-30)) for lag in lags]


def main() -> None:
    """Every cell; print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--length", type=int, default=200)
    ask.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru", "transformer"])
    ask.add_argument("--epochs", type=int, default=30)
    ask.add_argument("--rows", type=int, default=20_000)
    ask.add_argument("--quick", action="store_true", help="length 60, fewer rows and epochs")
    chosen = ask.parse_args()
    if chosen.quick:
        chosen.length, chosen.rows, chosen.epochs = 60, 5_000, 15
    X, y = adding(chosen.rows, chosen.length, 0)
    X_test, y_test = adding(2_000, chosen.length, 1)
    lags, rows = [lag for lag in LAGS if lag < chosen.length], []
    for cell in chosen.cells:
        shape = {
            "cell": cell,
            "pool": "last",
            "layers": 1,
            "bidirectional": cell == "transformer",
            "dropout": 0.0,
        }
        if cell == "transformer":
            shape |= {"layers": 2, "pool": "mean"}
        settings = {**shape, "units": 64, "batch_size": 64, "clip_norm": 1.0, "patience": chosen.epochs}
        fresh = SequenceRegressor(**settings, lr=1e-9, max_epochs=1).fit(X[:200], y[:200])
        start = time.perf_counter()
        model = SequenceRegressor(**settings, lr=2e-3, max_epochs=chosen.epochs).fit(X, y)
        error = float(np.mean((model.predict(X_test) - y_test) ** 2))
        shares = [
            f"{a:.1e} / {b:.1e}"
            for a, b in zip(slopes(fresh, X_test, lags)[1:], slopes(model, X_test, lags)[1:])
        ]
        rows.append([cell, f"{error:.4f}", *shares, f"{time.perf_counter() - start:.0f}"])
        print(rows[-1], flush=True)
    head = ["cell", "squared error", *(f"slope at lag {lag}, before / after" for lag in lags[1:]), "seconds"]
    print(table(head, rows))
    print(machine())


if __name__ == "__main__":
    main()
