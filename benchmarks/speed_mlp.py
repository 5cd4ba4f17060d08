"""Claim: a step of a small network costs at most 0.75 of scikit-learn's time and 0.3 of skorch's and Lightning's;
a large one trains at 0.9 or more of the speed of a bare loop over resident tensors with torch's fused optimiser.

    python benchmarks/speed_mlp.py [--quick] [--rounds 5] [--part a] [--threads 1 2]

All fits of a part take turns inside one process (Keras in one of its own, because it must choose its backend
before it is imported). A fit is timed as a whole, with everything that the estimator does: order, validation,
best weights, history, guard, facts, findings. Microseconds are seconds of a whole fit over its update steps.
"""

import argparse
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from _shared import installed, interleave, machine, ratio, table, timed
from threadpoolctl import threadpool_limits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

Seconds = tuple[float, float]  # on the clock, of the processor
HELD_OUT = 0.1  # validation_fraction of all who validate
LR = 1e-3
SMALL = {"rows": 10_000, "features": 20, "widths": (64, 64), "batch": 32, "epochs": 10}
LARGE = {"rows": 20_480, "features": 100, "widths": (512, 512, 512), "batch": 1024, "epochs": 5}
CLASSES = 10


class Task:
    """Rows of ten classes from a random teacher, and the sizes of the network that learns them."""

    def __init__(self, rows: int, features: int, widths: tuple[int, ...], batch: int, epochs: int) -> None:
        self.widths, self.batch, self.epochs = widths, batch, epochs
        rng = np.random.default_rng(0)
        X = rng.standard_normal((rows + 2000, features)).astype(np.float32)
        logits = np.tanh(X @ rng.standard_normal((features, 32))) @ rng.standard_normal((32, CLASSES))
        y = (logits + rng.gumbel(size=logits.shape)).argmax(1)
        self.X, self.y, self.X_test, self.y_test = X[:rows], y[:rows], X[rows:], y[rows:]
        held = int(rows * HELD_OUT)
        self.X_train, self.y_train = torch.as_tensor(self.X[held:]), torch.as_tensor(self.y[held:])
        self.X_valid, self.y_valid = torch.as_tensor(self.X[:held]), torch.as_tensor(self.y[:held])
        self.steps = epochs * -(-(rows - held) // batch)
        self.scores: dict[str, float] = {}

    def network(self) -> nn.Sequential:
        """The plain network of all who bring none of their own."""
        torch.manual_seed(0)
        sizes = [self.X.shape[1], *self.widths]
        hidden = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(sizes[-1], CLASSES))

    def score(self, name: str, predict: Callable[[Any], Any]) -> None:
        """Note the accuracy on new rows: proof that the work was really done."""
        self.scores[name] = float((np.asarray(predict(self.X_test)) == self.y_test).mean())

    def score_module(self, name: str, model: nn.Module) -> None:
        """The same for a module of logits."""
        with torch.inference_mode():
            self.score(name, lambda X: model(torch.as_tensor(X)).argmax(1).numpy())


# --- the contestants: each trains once and returns its seconds -------------------------------------------


def ganglion(task: Task, name: str, **settings: Any) -> Seconds:
    """Our estimator; early stopping is on, with a patience that the epochs do not reach."""
    from ganglion import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=task.widths,
        batch_size=task.batch,
        max_epochs=task.epochs,
        patience=1000,
        **{"validation_fraction": HELD_OUT, **settings},
    )
    taken = timed(lambda: model.fit(task.X, task.y))
    if len(model.history_) != task.epochs:
        raise RuntimeError(f"{name} trained {len(model.history_)} epochs, wanted {task.epochs}")
    task.score(name, model.predict)
    return taken


def scikit_learn(task: Task, name: str) -> Seconds:
    """The same with early stopping, as ours."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        task.widths,
        batch_size=task.batch,
        max_iter=task.epochs,
        learning_rate_init=LR,
        early_stopping=True,
        validation_fraction=HELD_OUT,
        n_iter_no_change=1000,
        random_state=0,
    )
    taken = timed(lambda: model.fit(task.X, task.y))
    task.score(name, model.predict)
    return taken


def skorch(task: Task, name: str) -> Seconds:
    """As shipped, its own validation split of the same size, silent."""
    from skorch import NeuralNetClassifier
    from skorch.dataset import ValidSplit

    model = NeuralNetClassifier(
        task.network(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=LR,
        batch_size=task.batch,
        max_epochs=task.epochs,
        train_split=ValidSplit(HELD_OUT, stratified=True),
        verbose=0,
    )
    taken = timed(lambda: model.fit(task.X, task.y))
    task.score(name, model.predict)
    return taken


def lightning(task: Task, name: str) -> Seconds:
    """No logging, no checkpoint, no bar; the validation set in one batch."""
    from lightning import LightningModule, Trainer

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.loss = task.network(), nn.CrossEntropyLoss()

        def training_step(self, batch: Any, index: int) -> Any:
            return self.loss(self.network(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> Any:
            return self.loss(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=LR)

    model = Classifier()
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = Trainer(max_epochs=task.epochs, accelerator="cpu", **dict.fromkeys(quiet, False))
    rows = DataLoader(TensorDataset(task.X_train, task.y_train), task.batch, shuffle=True)
    valid = DataLoader(TensorDataset(task.X_valid, task.y_valid), len(task.X_valid))
    taken = timed(lambda: trainer.fit(model, rows, valid))
    task.score_module(name, model.network)
    return taken


def data_loader_loop(task: Task, name: str) -> Seconds:
    """The loop of the tutorials; it neither validates nor keeps anything."""
    model = task.network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    rows = DataLoader(TensorDataset(task.X_train, task.y_train), task.batch, shuffle=True)

    def work() -> None:
        for _ in range(task.epochs):
            for x, y in rows:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()

    taken = timed(work)
    task.score_module(name, model)
    return taken


def resident_loop(task: Task, name: str, threads: int = 1) -> Seconds:
    """Tensors shuffled once an epoch and sliced, torch's fused optimiser, nothing else."""
    model = task.network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)

    def work() -> None:
        for _ in range(task.epochs):
            order = torch.randperm(len(task.X_train))
            X, Y = task.X_train[order], task.y_train[order]
            for x, y in zip(X.split(task.batch), Y.split(task.batch)):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()

    torch.set_num_threads(threads)
    taken = timed(work)
    torch.set_num_threads(1)
    task.score_module(name, model)
    return taken


class Keras:
    """Keras on JAX in a process of its own that trains once for every line it is sent."""

    def __init__(self, task: Task, sizes: dict[str, Any]) -> None:
        one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        env = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": one_thread, "JAX_PLATFORMS": "cpu"}
        self.task = task
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--keras-child", repr(sizes)],
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
        self.task.scores[name] = score
        return clock, processor


def keras_child(sizes: dict[str, Any]) -> None:
    """The other end of ``Keras``."""
    import keras

    task = Task(**sizes)
    layers = [keras.layers.Dense(width, "relu") for width in task.widths]
    model = keras.Sequential([keras.Input(task.X.shape[1:]), *layers, keras.layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(LR), loss)
    fit = partial(model.fit, task.X, task.y, batch_size=task.batch, epochs=task.epochs, verbose=0)
    start = model.get_weights()
    for _ in sys.stdin:
        model.set_weights(start)
        taken = timed(partial(fit, validation_split=HELD_OUT))
        task.score("keras", lambda X: model.predict(X, verbose=0).argmax(1))
        print(*taken, task.scores["keras"], flush=True)


# --- the two tables --------------------------------------------------------------------------------------

PLAIN = {"preprocess": "none", "activation": "relu", "dropout": 0.0, "lr": LR, "schedule": "constant"}


def small(rounds: int, sizes: dict[str, Any]) -> None:
    """Part (a): 20-64-64-10, batch 32, one thread for everybody."""
    task = Task(**sizes)
    runs: dict[str, Callable[[str], Seconds]] = {
        "Ganglion, plain": partial(ganglion, task, **PLAIN),
        "Ganglion, defaults, same network": partial(ganglion, task, bins=0),
        "Ganglion, all defaults": partial(ganglion, task),
        "scikit-learn": partial(scikit_learn, task),
    }
    if installed("skorch"):
        runs["skorch"] = partial(skorch, task)
    if installed("lightning"):
        runs["Lightning"] = partial(lightning, task)
    if installed("keras", "jax"):
        runs["Keras on JAX, compiled before"] = Keras(task, sizes)
    runs["plain loop over a DataLoader"] = partial(data_loader_loop, task)
    runs["bare loop, resident, fused"] = partial(resident_loop, task)
    with threadpool_limits(1):
        taken, others = interleave({name: partial(run, name) for name, run in runs.items()}, rounds)
    ours, default, wide, *_ = runs
    rows = []
    for name, seconds in taken.items():
        clock = [s * 1e6 / task.steps for s, _ in seconds]
        processor = median(s for _, s in seconds) * 1e6 / task.steps
        shares = [f"{ratio(taken, mine, name):.2f}" for mine in (ours, default, wide)]
        spread = f"{min(clock):.0f} to {max(clock):.0f}"
        share_cpu = f"{ratio(taken, ours, name, 1):.2f}"
        score = f"{task.scores[name]:.3f}"
        rows.append([name, f"{median(clock):.0f}", spread, f"{processor:.0f}", *shares, share_cpu, score])
    print(f"### (a) 20-64-64-10, batch 32, {task.steps} steps in {task.epochs} epochs, one thread\n")
    head = ["", "us per step", "spread", "processor us", "plain / this", "same network / this", "all / this"]
    print(table([*head, "plain / this, processor", "accuracy"], rows))
    print(
        f"Medians of {rounds} rounds; other programs kept {median(others):.1f} cores busy meanwhile. *Plain*: the "
        "numbers as they are, relu, no dropout, constant step size, as the peers have it. *Defaults, same network*: "
        "preprocessing, silu, dropout and schedule of the shipped settings, without the bins that widen the first "
        "layer. *All defaults*: with them, a network with some twenty times as many weights in its first layer. "
        "The two bare loops neither validate nor keep anything.\n"
    )


def large(rounds: int, sizes: dict[str, Any], all_threads: list[int]) -> None:
    """Part (b): 100-512-512-512-10, batch 1024, with the threads that the plan would choose."""
    rows, task = [], Task(**sizes)
    for threads in all_threads:

        def ours(name: str, threads: int = threads, **settings: Any) -> Seconds:
            torch.set_num_threads(threads)  # the plan takes what torch was given, as the network is large
            taken = ganglion(task, name, **PLAIN, **settings)
            torch.set_num_threads(1)
            return taken

        runs: dict[str, Callable[[str], Seconds]] = {
            "Ganglion, plain": ours,
            "Ganglion, plain, trains on every row": partial(ours, validation_fraction=0.0),
            "bare loop, resident, fused": partial(resident_loop, task, threads=threads),
        }
        taken, others = interleave({name: partial(run, name) for name, run in runs.items()}, rounds)
        bare = list(runs)[-1]
        for name, seconds in taken.items():
            steps = task.epochs * -(-len(task.X) // task.batch) if "every row" in name else task.steps
            clock = [s * 1e3 / steps for s, _ in seconds]
            speed = [ratio(taken, bare, name, column) * steps / task.steps for column in (0, 1)]
            spread = f"{min(clock):.1f} to {max(clock):.1f}"
            figures = [f"{median(clock):.1f}", spread, *(f"{s:.2f}" for s in speed)]
            rows.append([threads, name, *figures, f"{task.scores[name]:.3f}", f"{median(others):.1f}"])
    print(f"### (b) 100-512-512-512-10, batch 1024, {task.steps} steps in {task.epochs} epochs\n")
    head = ["threads", "", "ms per step", "spread", "speed / bare loop", "by processor time", "accuracy"]
    print(table([*head, "cores busy elsewhere"], rows))
    print(f"Medians of {rounds} rounds.\n")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--part", choices="ab", help="only this table")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=sorted({1, os.cpu_count() or 1}), help="of table b"
    )
    parser.add_argument("--quick", action="store_true", help="two rounds of two epochs, to see that it runs")
    parser.add_argument("--keras-child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.keras_child:
        import ast

        keras_child(ast.literal_eval(options.keras_child))
        return
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    short = {"epochs": 2} if options.quick else {}
    rounds = 2 if options.quick else options.rounds
    print(f"## Speed of a dense network\n\n{machine()}\n")
    if options.part != "b":
        small(rounds, {**SMALL, **short})
    if options.part != "a":
        large(rounds, {**LARGE, **short}, options.threads)


if __name__ == "__main__":
    main()
