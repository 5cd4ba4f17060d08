"""What several tests of the loop share: a run that stops at a step, and checkpoints after every step."""

import os

import pytest

from ganglion.train import checkpoint
from ganglion.train.hooks import Hook


class Stopped(Exception):
    """Nothing went wrong."""


class StopAt(Hook):
    """Raises after a step."""

    signal = Stopped

    def __init__(self, at):
        self.at = at

    def step(self, run):
        if run.step == self.at:
            raise Stopped


@pytest.fixture(name="StopAt")
def stop_at():
    """The hook that stops a run by raising its ``signal``."""
    return StopAt


@pytest.fixture
def always(monkeypatch):
    """A checkpoint after every step, without waiting for the disk."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 1e-9)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
