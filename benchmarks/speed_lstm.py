"""Claim: ``SequenceClassifier`` trains an LSTM on ragged series in at most half the time of the faster of a plain torch
loop (DataLoader, ``pad_sequence``, ``pack_padded_sequence``) and Keras (``Masking``), at no lower accuracy.

    python benchmarks/speed_lstm.py [--rounds 3] [--units 64] [--epochs 4] [--quick] [--only NAME ...]

Series of 50 to 200 places and 12 channels of noise, four classes by which channel lies a little higher. Everyone has
one LSTM layer that answers from its last place, Adam, batches of 64, the same epochs and one thread, and takes turns;
Keras in a process of its own, because it must choose its backend before it is imported (what runs the peers may lie in
another environment: ``--keras-python PATH``). A fit is timed as a whole, with yardsticks and record; ours
validates nothing in its first row, as the others, and keeps the best epoch by a tenth of the series in its second.
"""

import argparse
import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from _shared import interleave, machine, ratio, table, timed
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader

Seconds = tuple[float, float]  # on the clock, of the processor
LR, BATCH, CLASSES, CHANNELS, SHORTEST, LONGEST = 2e-3, 64, 4, 12, 50, 200
SHIFT = 0.3  # of a class's channel, in spreads of the noise
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Task:
    """Ragged series of four classes, and the sizes of the network that learns them."""

    def __init__(self, rows: int, units: int, epochs: int) -> None:
        self.units, self.epochs = units, epochs
        rng = np.random.default_rng(0)
        y = rng.integers(0, CLASSES, rows + 2000)
        X = [self._series(rng, label) for label in y]
        self.X, self.y, self.X_test, self.y_test = X[:rows], y[:rows], X[rows:], y[rows:]
        self.steps = epochs * -(-rows // BATCH)
        self.scores: dict[str, list[float]] = {}

    @staticmethod
    def _series(rng: np.random.Generator, label: int) -> np.ndarray:
        found = rng.standard_normal((rng.integers(SHORTEST, LONGEST + 1), CHANNELS)).astype(np.float32)
        found[:, label] += SHIFT
        return found

    def score(self, name: str, predict: Callable[[Any], Any]) -> None:
        """Note the accuracy on new series: proof that the work was really done."""
        found = float((np.asarray(predict(self.X_test)) == self.y_test).mean())
        self.scores.setdefault(name, []).append(found)


# --- the contestants: each trains once and returns its seconds ----------------------------------------------


def ganglion(task: Task, name: str, **settings: Any) -> Seconds:
    """Our estimator with the network, optimiser and epochs of the others."""
    from ganglion import SequenceClassifier

    model = SequenceClassifier(**{
        "cell": "lstm", "units": task.units, "layers": 1, "bidirectional": False, "pool": "last", "dropout": 0.0,
        "optimizer": "adam", "lr": LR, "weight_decay": 0.0, "schedule": "constant", "batch_size": BATCH,
        "max_epochs": task.epochs, "validation_fraction": 0.0, **settings,
    })  # fmt: skip
    taken = timed(lambda: model.fit(task.X, task.y))
    task.score(name, model.predict)
    return taken


def compare_precisions(task: Task, seeds: int) -> None:
    """Accuracy of ours in float32 and in bf16, over seeds."""
    for seed in range(seeds):
        for precision in ("float32", "bf16"):
            ganglion(task, precision, precision=precision, random_state=seed)
    rows = [[name, f"{np.mean(found):.3f}", f"{min(found):.3f} to {max(found):.3f}"]
            for name, found in task.scores.items()]  # fmt: skip
    print(table(["precision", "accuracy", "spread"], rows), machine(), sep="\n")


class Classifier(nn.Module):
    """The loops' network: an LSTM and a dense layer on its last answer, of packed or of padded series."""

    def __init__(self, units: int, packed: bool) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(CHANNELS, units, batch_first=True), nn.Linear(units, CLASSES)
        self.packed = packed

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(n, t, c), (n,) -> logits (n, k)."""
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.lstm(x)[1][0][-1])
        answers = self.lstm(x)[0]
        return self.head(answers[torch.arange(len(x)), lengths - 1])


def collate(rows: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor, Tensor]:
    """A padded batch, its lengths, its classes."""
    x = pad_sequence([series for series, _ in rows], batch_first=True)
    return x, torch.tensor([len(series) for series, _ in rows]), torch.tensor([label for _, label in rows])


def data_loader_loop(task: Task, name: str, packed: bool, flushed: bool = False) -> Seconds:
    """The loop of the tutorials; it neither validates nor keeps anything. ``flushed`` takes denormal numbers as 0."""
    torch.set_flush_denormal(flushed)
    model = Classifier(task.units, packed)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    rows = [(torch.from_numpy(x), int(label)) for x, label in zip(task.X, task.y)]
    batches = DataLoader(rows, BATCH, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]

    def work() -> None:
        for _ in range(task.epochs):
            for x, lengths, y in batches:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x, lengths), y).backward()
                optimizer.step()

    @torch.inference_mode()
    def predict(X: list[np.ndarray]) -> np.ndarray:
        found = [collate([(torch.from_numpy(x), 0) for x in X[i : i + 500]]) for i in range(0, len(X), 500)]
        return torch.cat([model(x, lengths).argmax(1) for x, lengths, _ in found]).numpy()

    taken = timed(work)
    torch.set_flush_denormal(False)
    task.score(name, predict)
    return taken


class Keras:
    """Keras in a process of its own that trains once for every line it is sent."""

    def __init__(self, task: Task, sizes: dict[str, Any], backend: str, python: str) -> None:
        env = {**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": ONE_THREAD, "JAX_PLATFORMS": "cpu"}
        self.task = task
        self.process = subprocess.Popen(
            [python, __file__, "--keras-child", repr(sizes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            text=True,
        )

    def __call__(self, name: str) -> Seconds:
        """Train once; the model is the same object each time, so only the first fit compiles."""
        print("fit", file=self.process.stdin, flush=True)
        clock, processor, score = (float(x) for x in self.process.stdout.readline().split())
        self.task.scores.setdefault(name, []).append(score)
        return clock, processor


def keras_child(sizes: dict[str, Any]) -> None:
    """The other end of ``Keras``: series padded to the longest behind their ends, and masked."""
    import keras

    task = Task(**sizes)

    def padded(X: list[np.ndarray]) -> np.ndarray:
        return keras.utils.pad_sequences(X, LONGEST, "float32", padding="post")

    model = keras.Sequential([
        keras.Input((LONGEST, CHANNELS)), keras.layers.Masking(), keras.layers.LSTM(task.units),
        keras.layers.Dense(CLASSES),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LR), loss)
    model.optimizer.build(model.trainable_variables)
    X, X_test, variables = padded(task.X), padded(task.X_test), [*model.variables, *model.optimizer.variables]
    start = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for _ in sys.stdin:
        for variable, value in zip(variables, start):
            variable.assign(value)
        taken = timed(partial(model.fit, X, task.y, batch_size=BATCH, epochs=task.epochs, verbose=0))
        task.score("keras", lambda _: model.predict(X_test, batch_size=500, verbose=0).argmax(1))
        print(*taken, task.scores["keras"][-1], flush=True)


# --- the table ----------------------------------------------------------------------------------------------

OURS, HELD = "Ganglion, the same network", "Ganglion, a tenth validates"
PACKED = "DataLoader loop, packed"
KERAS = {"Keras on torch": "torch", "Keras on JAX, compiled before": "jax"}


def main() -> None:
    """Rounds in turns, and the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--rows", type=int, default=2000)
    ask.add_argument("--units", type=int, default=64)
    ask.add_argument("--epochs", type=int, default=4)
    ask.add_argument(
        "--precisions", type=int, default=0, help="only ours, of so many seeds, in 32 and in 16 bits"
    )
    ask.add_argument("--quick", action="store_true", help="one round of one epoch of few rows")
    ask.add_argument("--only", nargs="+", help="beside ours")
    ask.add_argument("--keras-python", default=sys.executable, help="the Python that has Keras")
    ask.add_argument("--keras-child", help=argparse.SUPPRESS)
    chosen = ask.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if chosen.keras_child:
        keras_child(ast.literal_eval(chosen.keras_child))
        return
    if chosen.quick:
        chosen.rounds, chosen.rows, chosen.epochs = 1, 300, 1
    sizes = {"rows": chosen.rows, "units": chosen.units, "epochs": chosen.epochs}
    task = Task(**sizes)
    if chosen.precisions:
        compare_precisions(task, chosen.precisions)
        return
    runs: dict[str, Callable[[str], Seconds]] = {
        OURS: partial(ganglion, task),
        HELD: partial(ganglion, task, validation_fraction=0.1, patience=1000),
        PACKED: partial(data_loader_loop, task, packed=True),
        "packed, denormals as 0": partial(data_loader_loop, task, packed=True, flushed=True),
        "DataLoader loop, padded, last place gathered": partial(data_loader_loop, task, packed=False),
        "padded, denormals as 0": partial(data_loader_loop, task, packed=False, flushed=True),
    }
    runs |= {name: Keras(task, sizes, which, chosen.keras_python) for name, which in KERAS.items()}
    if chosen.only:
        runs = {name: run for name, run in runs.items() if name in (OURS, HELD, *chosen.only)}
    taken, others = interleave({name: partial(run, name) for name, run in runs.items()}, chosen.rounds)
    rows = []
    for name, seconds in taken.items():
        clock = [s for s, _ in seconds]
        spread = f"{min(clock):.2f} to {max(clock):.2f}"
        shares = [f"{ratio(taken, ours, name, column):.2f}" for ours in (OURS, HELD) for column in (0, 1)]
        scores = task.scores[name]
        score = f"{np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})"
        rows.append([name, f"{median(clock):.2f}", spread, *shares, score])
    print(
        f"LSTM {CHANNELS}-{chosen.units}-{CLASSES}, {chosen.rows:,} series of 50 to 200 places, {task.steps} steps\n"
    )
    head = [
        "",
        "seconds a fit",
        "spread",
        "ours / this",
        "by processor",
        "validating / this",
        "by processor",
        "accuracy",
    ]
    print(table(head, rows))
    print(
        f"Medians of {chosen.rounds} rounds; others kept {median(others):.1f} cores busy meanwhile. {machine()}"
    )


if __name__ == "__main__":
    main()
