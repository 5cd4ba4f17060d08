"""The lab: statements of the syllabus as experiments that run, measure and give a verdict."""

import importlib
import pkgutil
import time

from ganglion.base.errors import GanglionError, unknown_name
from ganglion.base.seeds import seeded
from ganglion.lab.experiment import EXPERIMENTS, Experiment, Setting
from ganglion.lab.result import Result
from ganglion.train.plan import numpy_on_one_thread, threads

__all__ = ["Result", "experiments", "run"]


def experiments() -> dict[str, Experiment]:
    """Every experiment by name, in the order of the topics' files.

    >>> "xor" in experiments()
    True
    """
    folder = importlib.import_module("ganglion.lab.chapters")
    for info in pkgutil.iter_modules(folder.__path__, folder.__name__ + "."):
        importlib.import_module(info.name)
    return dict(EXPERIMENTS)


def run(name: str, *, seed: int = 0, quick: bool = False) -> Result:
    """Run an experiment on one thread and return its numbers, checks, verdict and figure.

    Arguments:
        name: of the experiment; ``ganglion lab list`` shows them.
        seed: from which everything random follows.
        quick: the reduced form, in a second or so instead of half a minute.

    Raises ``GanglionError`` for an unknown name, with the nearest known one.

    >>> run("xor", quick=True).verdict
    'holds'
    """
    known = experiments()
    if name not in known:
        raise GanglionError(unknown_name("experiment", name, list(known)))
    setting = Setting(seed, quick)
    started = time.monotonic()
    with seeded(seed), threads(1), numpy_on_one_thread():
        shown = known[name].body(setting)
    return Result(known[name], setting, shown, time.monotonic() - started)
