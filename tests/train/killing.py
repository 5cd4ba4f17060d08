"""A training run that is killed again and again: run by test_resume.py as ``killing.py KILLS SEED OPTIMIZER``.

Every attempt is a forked process. One half of the kills comes from outside after a random time, the other
half from inside the writer of the checkpoint: with half of the file written, before the renaming, or right
after it. Prints what happened as one line of JSON.
"""

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from ganglion.base import files
from ganglion.estimators.mlp import MLPClassifier
from ganglion.train import checkpoint

X = np.random.default_rng(0).normal(size=(300, 5))
Y = (X[:, 0] * X[:, 1] + 0.3 * X[:, 2] > 0).astype(int)
write = checkpoint.write_atomically


def train(folder: Path | None, optimizer: str) -> str:
    """Train to the end; the SHA-256 of the final weights."""
    settings = {"max_epochs": 15, "batch_size": 16, "dropout": 0.2, "optimizer": optimizer}
    place = {} if folder is None else {"checkpoint": str(folder), "resume": True}
    model = MLPClassifier(hidden_layer_sizes=(16, 16), **settings, **place).fit(X, Y)
    digest = hashlib.sha256()
    for tensor in model.module_.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_writing(where: str, countdown: int) -> None:
    """From now on the writer kills its own process at its ``countdown``-th file."""

    def deadly(path, data):
        nonlocal countdown
        countdown -= 1
        if countdown:
            return write(path, data)
        if where == "half":
            write(path, lambda file: (file.write(data[: len(data) // 2]), file.flush(), die()))
        if where == "renaming":
            files.os.replace = lambda *_: die()
        write(path, data)
        die()

    checkpoint.write_atomically = deadly


def call_out(line: int) -> None:
    """From now on training says when it begins, so that a kill from outside does not fall before it."""
    resume = checkpoint.Checkpoint.resume
    checkpoint.Checkpoint.resume = lambda self, run: (resume(self, run), os.write(line, b"!"))[0]


def attempt(folder: Path, optimizer: str, rng: random.Random, inside: bool) -> bool:
    """One process that trains on and is killed; whether it came to the end before that."""
    where, countdown, wait = (
        rng.choice(["half", "renaming", "after"]),
        rng.randint(1, 6),
        rng.uniform(0, 0.15),
    )
    often, (heard, line) = rng.choice([1e-9, 0.01]), os.pipe()
    child = os.fork()
    if not child:
        checkpoint.SAVE_EVERY = often
        call_out(line)
        if inside:
            die_while_writing(where, countdown)
        (folder / "sha").write_text(train(folder, optimizer))
        os._exit(0)
    os.close(line)
    os.read(heard, 1)
    os.close(heard)
    if not inside:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def main(kills: int, seed: int, optimizer: str) -> None:
    warnings.simplefilter("ignore")
    rng, ends, inside, torn, resumed = random.Random(seed), [], 0, 0, 0
    expected, done = train(None, optimizer), 0
    while done < kills:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            while True:
                last = done >= kills
                writing = not last and done % 2 == 1
                resumed += (folder / checkpoint.NAME).exists()
                if last:
                    (folder / "sha").write_text(train(folder, optimizer))
                elif not attempt(folder, optimizer, rng, writing):
                    done, inside = done + 1, inside + writing
                    torn += any(files.TEMPORARY.fullmatch(entry) for entry in os.listdir(folder))
                    continue
                ends.append((folder / "sha").read_text())
                break
            leftovers = [e for e in os.listdir(folder) if files.TEMPORARY.fullmatch(e)]
    counts = {"kills": done, "inside": inside, "torn": torn, "resumed": resumed, "leftovers": len(leftovers)}
    sys.stdout.write(json.dumps({**counts, "expected": expected, "ends": ends}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
