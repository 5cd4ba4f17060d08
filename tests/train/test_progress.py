"""What a person sees while a network trains: a live line on a terminal, plain lines in a pipe, else nothing."""

import io

import numpy as np

from ganglion.estimators.mlp import MLPClassifier
from ganglion.train.progress import Progress
from ganglion.train.run import Run

ROW = {"epoch": 1, "loss": 0.5, "val_loss": 0.6, "val_score": 0.75}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(stream):
    progress = Progress(stream=stream)
    run = Run(objective=None, batches=None, optimizers={}, epochs=3, total_steps=30, epoch=1)
    run.history.append(ROW)
    progress.epoch(run, ROW)
    run.stopped = "epochs"
    progress.end(run)
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_rewritten():
    text = shown(Terminal())
    assert "\r" in text
    assert text.count("\n") == 1
    assert all(len(line) < 80 for line in text.replace("\r", "\n").split("\n"))


def test_a_pipe_gets_plain_lines():
    text = shown(io.StringIO())
    assert "\r" not in text
    assert "\x1b" not in text
    assert "epoch 1/3" in text
    assert "0.5" in text


def test_nothing_unless_asked(capfd):
    X = np.random.default_rng(0).normal(size=(60, 2))
    MLPClassifier(max_epochs=2).fit(X, X[:, 0] > 0)
    assert capfd.readouterr() == ("", "")
