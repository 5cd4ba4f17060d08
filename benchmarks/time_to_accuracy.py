"""Claim: with its default recipe ``CNNClassifier`` reaches 92 % on Fashion-MNIST's test part in at most a third of the
time of the fastest of Keras, skorch, Lightning and fastai as their documentation writes it; with their own network and
recipe in at most 0.7 of it.

    python benchmarks/time_to_accuracy.py [--rounds 3] [--goal 0.92] [--epochs 20] [--only NAME ...]

Every contestant runs in a process of its own, in turns, so that a slow minute of the machine is slow for all. Time is
that of training: after each epoch the clock is stopped, the test part is scored, and the clock goes on. The network of
the first row is that of Keras' documented MNIST example (two convolutions, a dense layer behind half dropped, Adam,
batches of 128). fastai asks for more than it uses here: ``pip install --no-deps fastai fasttransform fastcore
fastdownload "fastprogress<1.1" "plum-dispatch<2.10"``.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from _pictures import fashion_mnist
from _shared import installed, machine, table

LR, BATCH = 1e-3, 128


class Watch:
    """A clock that stands still while the test part is scored."""

    def __init__(self, goal: float) -> None:
        self.goal, self.seconds, self.scores = goal, 0.0, []
        self.begin = time.perf_counter()

    def epoch(self, score: Callable[[], float]) -> bool:
        """Note an epoch's accuracy; whether the goal is reached."""
        self.seconds += time.perf_counter() - self.begin
        self.scores.append((round(self.seconds, 2), float(score())))
        self.begin = time.perf_counter()
        return self.scores[-1][1] >= self.goal


# --- ourselves ----------------------------------------------------------------------------------------------

KERAS_LIKE = {
    "widths": (32, 64), "convolutions": 1, "padding": "valid", "activation": "relu", "norm": None, "head": "flatten",
    "dropout": 0.5, "optimizer": "adam(beta2=0.999)", "lr": LR, "batch_size": BATCH, "weight_decay": 0.0,
    "schedule": "constant", "augment": None, "label_smoothing": 0.0, "validation_fraction": 0.1,
    "early_stopping": False,
}  # fmt: skip


def ganglion_fit(goal: float, epochs: int, **settings: Any) -> Watch:
    """Ganglion, scored by a hook that stops the clock."""
    import torch

    import ganglion
    from ganglion.estimators.training import answers
    from ganglion.train.hooks import Hook

    X, y, X_test, y_test = fashion_mnist()
    network = ganglion.CNNClassifier(max_epochs=epochs, **settings)
    watch, tests = Watch(goal), torch.from_numpy(X_test.copy())[:, None]

    class Score(Hook):
        def epoch(self, run: Any, row: dict[str, Any]) -> None:
            def score() -> float:
                with torch.autocast("cpu", torch.bfloat16, enabled=network._precision == "bf16"):
                    found = answers(network.module_, tests, 512, network._both_ways).argmax(1).numpy()
                return (found == y_test).mean()

            if watch.epoch(score):
                run.stopped = "goal"

    plain = network._train

    def with_score(set_up: Any, *rest: Any) -> Any:
        arguments = set_up.arguments
        set_up.arguments = lambda *a: {**(found := arguments(*a)), "hooks": (*found["hooks"], Score())}
        return plain(set_up, *rest)

    network._train = with_score
    network.fit(X, y)
    return watch


# --- the others ---------------------------------------------------------------------------------------------


def torch_network() -> Any:
    """The documented network in torch."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10),
    )  # fmt: skip


def floats() -> tuple[np.ndarray, ...]:
    """The pictures as the documentations take them: single precision from 0 to 1."""
    X, y, X_test, y_test = fashion_mnist()
    return (
        X[:, None].astype(np.float32) / 255,
        y.astype(np.int64),
        X_test[:, None].astype(np.float32) / 255,
        y_test,
    )


def keras_fit(goal: float, epochs: int) -> Watch:
    """keras.io/examples/vision/mnist_convnet; the backend stands in KERAS_BACKEND."""
    import keras
    from keras import layers

    X, y, X_test, y_test = floats()
    X, X_test = X.transpose(0, 2, 3, 1), X_test.transpose(0, 2, 3, 1)
    model = keras.Sequential([
        keras.Input(shape=(28, 28, 1)), layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)), layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)), layers.Flatten(), layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    watch = Watch(goal)

    class Score(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if watch.epoch(
                lambda: (model.predict(X_test, batch_size=512, verbose=0).argmax(1) == y_test).mean()
            ):
                model.stop_training = True

    codes = keras.utils.to_categorical(y, 10)
    model.fit(X, codes, batch_size=BATCH, epochs=epochs, validation_split=0.1, callbacks=[Score()], verbose=0)
    return watch


def skorch_fit(goal: float, epochs: int) -> Watch:
    """skorch's quick start with the network and optimiser of the others."""
    import torch
    from skorch import NeuralNetClassifier
    from skorch.callbacks import Callback
    from skorch.dataset import ValidSplit

    X, y, X_test, y_test = floats()
    watch = Watch(goal)

    class Score(Callback):
        def on_epoch_end(self, net: Any, **_: Any) -> None:
            if watch.epoch(lambda: (net.predict(X_test) == y_test).mean()):
                raise KeyboardInterrupt

    net = NeuralNetClassifier(
        torch_network(), criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=LR, batch_size=BATCH,
        max_epochs=epochs, iterator_train__shuffle=True, train_split=ValidSplit(10), callbacks=[Score()], verbose=0,
    )  # fmt: skip
    net.fit(X, y)
    return watch


def lightning_fit(goal: float, epochs: int) -> Watch:
    """Lightning's introduction with the network and optimiser of the others."""
    import logging

    import torch
    from lightning import Callback, LightningModule, Trainer
    from torch.nn import functional as F
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    X, y, X_test, y_test = (torch.as_tensor(part) for part in floats())
    watch = Watch(goal)

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = torch_network()

        def training_step(self, batch: Any, index: int) -> Any:
            return F.cross_entropy(self.network(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", F.cross_entropy(self.network(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=LR)

    @torch.inference_mode()
    def score(module: Any) -> float:
        module.eval()
        found = torch.cat([module.network(part) for part in X_test.split(512)]).argmax(1)
        module.train()
        return (found == y_test).float().mean().item()

    class Score(Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            trainer.should_stop = watch.epoch(lambda: score(module))

    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = Trainer(
        max_epochs=epochs, accelerator="cpu", callbacks=[Score()], **dict.fromkeys(quiet, False)
    )
    held = len(X) // 10
    rows = DataLoader(TensorDataset(X[held:], y[held:]), BATCH, shuffle=True)
    trainer.fit(Classifier(), rows, DataLoader(TensorDataset(X[:held], y[:held]), 512))
    return watch


def fastai_fit(goal: float, epochs: int) -> Watch:
    """fastai's Learner on tensors; its own recipe: Adam under the one-cycle policy."""
    import torch
    from fastai.basics import Callback, CancelFitException, DataLoader, DataLoaders, Learner
    from fastai.callback import progress, schedule  # noqa: F401 - they give the learner its methods

    X, y, X_test, y_test = (torch.as_tensor(part) for part in floats())
    held, watch = len(X) // 10, Watch(goal)
    parts = [list(zip(X[held:], y[held:])), list(zip(X[:held], y[:held]))]
    loaders = DataLoaders(DataLoader(parts[0], bs=BATCH, shuffle=True), DataLoader(parts[1], bs=512))

    class Score(Callback):
        def after_epoch(self) -> None:
            @torch.inference_mode()
            def score() -> float:
                self.learn.model.eval()
                found = torch.cat([self.learn.model(part) for part in X_test.split(512)]).argmax(1)
                self.learn.model.train()
                return (found == y_test).float().mean().item()

            if watch.epoch(score):
                raise CancelFitException

    learner = Learner(loaders, torch_network(), loss_func=torch.nn.CrossEntropyLoss(), cbs=[Score()])
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs, 1e-2)
    return watch


CONTESTANTS: dict[str, tuple[Callable[..., Watch], dict[str, Any], dict[str, str], tuple[str, ...]]] = {
    "Ganglion, default recipe": (ganglion_fit, {}, {}, ()),
    "Ganglion, their network and recipe": (ganglion_fit, KERAS_LIKE, {}, ()),
    "Keras on torch": (keras_fit, {}, {"KERAS_BACKEND": "torch"}, ("keras",)),
    "Keras on JAX": (keras_fit, {}, {"KERAS_BACKEND": "jax"}, ("keras", "jax")),
    "skorch": (skorch_fit, {}, {}, ("skorch",)),
    "Lightning": (lightning_fit, {}, {}, ("lightning",)),
    "fastai, one cycle": (fastai_fit, {}, {}, ("fastai",)),
}
EPOCHS = {"Ganglion, default recipe": 3, "fastai, one cycle": 8}  # schedules that end need to know when


def child(name: str, goal: float, epochs: int) -> None:
    """Train once and print the course."""
    warnings.simplefilter("ignore")
    run, settings, _, _ = CONTESTANTS[name]
    watch = run(goal, EPOCHS.get(name, epochs), **settings)
    print(json.dumps({"seconds": watch.seconds, "scores": watch.scores}), flush=True)


def main() -> None:
    """Rounds in turns, and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--goal", type=float, default=0.92)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.goal, options.epochs)
        return
    names = [n for n in options.only or CONTESTANTS if installed(*CONTESTANTS[n][3])]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            command = [sys.executable, __file__, "--child", name, "--goal", str(options.goal)]
            env = os.environ | CONTESTANTS[name][2] | {"JAX_PLATFORMS": "cpu"}
            done = subprocess.run(
                [*command, "--epochs", str(options.epochs)],
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"({name} failed: {done.stderr.strip().splitlines()[-1]})")
                continue
            runs[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
            print(name, runs[name][-1]["scores"], flush=True)
    rows = []
    for name, found in runs.items():
        reached = [r["seconds"] for r in found if r["scores"][-1][1] >= options.goal]
        epoch = median(r["seconds"] / len(r["scores"]) for r in found) if found else float("nan")
        times = f"{median(reached):.0f}" if len(reached) > len(found) / 2 else "not reached"
        best = max((s for r in found for _, s in r["scores"]), default=float("nan"))
        rows.append([name, times, f"{len(reached)} of {len(found)}", f"{epoch:.1f}", f"{100 * best:.2f} %"])
    goal = f"seconds to {100 * options.goal:g} %"
    print(table(["", goal, "reached", "seconds per epoch", "best accuracy"], rows))
    print(machine())


if __name__ == "__main__":
    main()
