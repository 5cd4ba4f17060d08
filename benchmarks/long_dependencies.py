"""Claim: the adding problem at length 200 and copy memory at lag 50 are solved by LSTM, GRU and transformer, and not by
the plain RNN with the same settings.

    python benchmarks/long_dependencies.py [--tasks adding copy] [--cells rnn lstm gru transformer]
        [--set adding.lr=1e-3 ...] [--picture docs/images/long_dependencies.png] [--quick]

Adding: series of random numbers with two of them marked; what is asked for is the sum of the two (Hochreiter and
Schmidhuber 1997), through ``SequenceRegressor``. Always telling 1 has a squared error of 1/6; solved is 0.01.
Copy: ten letters out of eight, blanks, a sign, and the ten letters again, each 50 places behind itself, through
``LanguageModel``; the first fifty places are its prompt, the ten letters its answer. Guessing costs ln 8 = 2.08 nats a
letter and is right for one in eight; solved is 99 % of letters right. Recurrent cells read forwards, and gates start
with a memory of the whole text, which a plain cell cannot have. The transformer tells places by their distance.

Beside adding how much the answer of the untrained and of the trained network depends on a place so many places before
it: the mean norm of ``dy / dx_{T - lag}``, as a share of that at lag 0.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
from _shared import machine, setting, table

from ganglion import LanguageModel, SequenceRegressor

LAGS = (10, 50, 100, 190)
LETTERS, COPIED, GOAL = "abcdefgh", 10, {"adding": 0.01, "copy": 0.99}
COLOURS = {"rnn": "#c0392b", "lstm": "#1f6fb2", "gru": "#2e8b57", "transformer": "#8e6bbf"}


# --- the adding problem -------------------------------------------------------------------------------------


def adding(n: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series (n, T, 2) of numbers and marks, one mark in each half, and the sums of the marked numbers."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n, length, 2), np.float32)
    X[..., 0] = rng.random((n, length))
    places = np.stack([rng.integers(0, length // 2, n), rng.integers(length // 2, length, n)], 1)
    np.put_along_axis(X[..., 1], places, 1.0, 1)
    return X, np.take_along_axis(X[..., 0], places, 1).sum(1)


def slopes(model: SequenceRegressor, X: np.ndarray) -> np.ndarray:
    """The mean norm of the answer's gradient at each place before the end, (T,) from the last on, the last is 1."""
    x = torch.from_numpy(X[:100]).requires_grad_()
    model.module_(x).sum().backward()
    norms = x.grad.norm(dim=2).mean(0) if x.grad is not None else torch.zeros(X.shape[1])
    return (norms / norms[-1].clamp(min=1e-30)).flip(0).numpy()


def adding_row(
    cell: str, length: int, rows: int, given: dict[str, Any]
) -> tuple[float, list[np.ndarray], float]:
    """Squared error on new series, the slopes before and after training, and seconds."""
    X, y = adding(rows, length, 0)
    X_test, y_test = adding(2_000, length, 1)
    transformer = cell == "transformer"
    settings = {
        "cell": cell, "pool": "mean" if transformer else "last", "layers": 1, "bidirectional": transformer, "heads": 1,
        "dropout": 0.0, "units": 64, "batch_size": 64, "clip_norm": 1.0, "lr": 5e-3, "max_epochs": 8, "patience": 99,
        "random_state": 0, "watch": "off", **given,
    }  # fmt: skip
    fresh = SequenceRegressor(**{**settings, "lr": 1e-12, "max_epochs": 1}).fit(X[:200], y[:200])
    start = time.perf_counter()
    model = SequenceRegressor(**settings).fit(X, y)
    seconds = time.perf_counter() - start
    error = float(np.mean((model.predict(X_test) - y_test) ** 2))
    return error, [slopes(fresh, X_test), slopes(model, X_test)], seconds


# --- copy memory --------------------------------------------------------------------------------------------


def copies(n: int, lag: int, seed: int) -> tuple[list[str], list[str]]:
    """Texts of letters, blanks and a sign, and the letters again, each ``lag`` places behind itself."""
    drawn = np.random.default_rng(seed).integers(0, len(LETTERS), (n, COPIED))
    words = ["".join(LETTERS[i] for i in row) for row in drawn]
    return [word + "." * (lag - COPIED - 1) + ":" for word in words], words


def recalled(model: LanguageModel, prompts: list[str], words: list[str]) -> tuple[float, float]:
    """The share of letters that are recalled, each behind the right ones, and what one costs in nats."""
    texts = [model._prompt(prompt + word) for prompt, word in zip(prompts, words)]
    codes = torch.from_numpy(np.stack(texts).astype(np.int64))
    with torch.inference_mode():
        logits = model.module_(codes[:, :-1])[:, -COPIED:]
    goal = codes[:, -COPIED:]
    cost = torch.nn.functional.cross_entropy(logits.flatten(0, 1), goal.flatten())
    return float((logits.argmax(2) == goal).float().mean()), float(cost)


def copy_row(cell: str, lag: int, rows: int, given: dict[str, Any]) -> tuple[float, float, float]:
    """Share of letters recalled, nats a letter, and seconds."""
    settings = {
        "cell": cell, "units": 128, "layers": 1, "context": lag + COPIED + 1, "tokens": "characters", "batch_size": 32,
        "memory": lag + COPIED if cell in ("lstm", "gru") else None, "positions": "relative", "lr": 4e-3,
        "weight_decay": 0.0, "clip_norm": 1.0, "max_epochs": 6, "random_state": 0, "watch": "off", **given,
    }  # fmt: skip
    start = time.perf_counter()
    model = LanguageModel(**settings).fit(*copies(rows, lag, 0))
    seconds = time.perf_counter() - start
    return *recalled(model, *copies(1_000, lag, 1)), seconds


# --- tables and picture -------------------------------------------------------------------------------------


def picture(path: str, curves: dict[str, list[np.ndarray]]) -> None:
    """The slopes by lag, before and after training, drawn into a file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for panel, which, title in zip(panels, (0, 1), ("untrained", "trained")):
        for cell, found in curves.items():
            panel.semilogy(np.maximum(found[which], 1e-12), color=COLOURS[cell], label=cell)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("places before the end")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("norm of dy/dx, as a share of lag 0")
    panels[1].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Every task and cell; print the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--tasks", nargs="+", choices=GOAL, default=list(GOAL))
    ask.add_argument("--cells", nargs="+", choices=COLOURS, default=list(COLOURS))
    ask.add_argument("--length", type=int, default=200)
    ask.add_argument("--lag", type=int, default=50)
    ask.add_argument("--rows", type=int, default=20_000)
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="TASK.NAME=VALUE")
    ask.add_argument("--picture")
    ask.add_argument("--quick", action="store_true", help="length 60, lag 15, fewer rows")
    chosen = ask.parse_args()
    if chosen.quick:
        chosen.length, chosen.lag, chosen.rows = 60, 15, 5_000
    torch.set_num_threads(1)
    given = {task: {k.partition(".")[2]: v for k, v in chosen.set if k.startswith(task)} for task in GOAL}
    lags, curves = [lag for lag in LAGS if lag < chosen.length], {}
    added, copied = [], []
    for cell in chosen.cells if "adding" in chosen.tasks else []:
        error, curves[cell], seconds = adding_row(cell, chosen.length, chosen.rows, given["adding"])
        shares = [f"{curves[cell][0][lag]:.0e} / {curves[cell][1][lag]:.0e}" for lag in lags]
        solved = "yes" if error < GOAL["adding"] else "no"
        added.append([cell, f"{error:.4f}", solved, *shares, f"{seconds:.0f}"])
        print(added[-1], flush=True)
    for cell in chosen.cells if "copy" in chosen.tasks else []:
        share, cost, seconds = copy_row(cell, chosen.lag, chosen.rows, given["copy"])
        solved = "yes" if share >= GOAL["copy"] else "no"
        copied.append([cell, f"{100 * share:.1f} %", f"{cost:.3f}", solved, f"{seconds:.0f}"])
        print(copied[-1], flush=True)
    if added:
        slope = [f"slope at lag {lag}, before / after" for lag in lags]
        print(table([f"adding, {chosen.length} places", "squared error", "solved", *slope, "seconds"], added))
    if copied:
        print(
            table([f"copy, lag {chosen.lag}", "letters right", "nats a letter", "solved", "seconds"], copied)
        )
    if chosen.picture and curves:
        picture(chosen.picture, curves)
    print(machine())


if __name__ == "__main__":
    main()
