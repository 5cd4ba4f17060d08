"""Progress: one live line on a terminal, plain lines when piped, nothing unless asked for."""

import sys
import time
from typing import TYPE_CHECKING, Any

from ganglion.train.hooks import Hook

if TYPE_CHECKING:
    from ganglion.train.run import Run


class Progress(Hook):
    """Tells how a run goes on standard error.

    Arguments:
        every: seconds between plain lines when the stream is no terminal.
        stream: where to write; standard error if not given.
    """

    def __init__(self, every: float = 5.0, stream: Any = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = bool(getattr(self.stream, "isatty", lambda: False)())
        self.every, self.last, self.width = every, 0.0, 0

    def epoch(self, run: "Run", row: dict[str, Any]) -> None:
        """A line, if it is time for one."""
        now = time.monotonic()
        wait = 0.1 if self.live else self.every
        if now - self.last < wait and run.epoch != 1:
            return
        self.last = now
        self._write(line(run, row))

    def end(self, run: "Run") -> None:
        """The live line gives way to what came of it."""
        if run.history:
            self._write(ending(run))
            if self.live:
                self.stream.write("\n")
        self.stream.flush()

    def _write(self, text: str) -> None:
        if not self.live:
            self.stream.write(text + "\n")
        else:
            self.stream.write("\r" + text.ljust(self.width))
            self.width = len(text)
        self.stream.flush()


ENDED = {
    "early": "stopped early",
    "time": "ended by the time limit",
    "interrupt": "interrupted",
    "non_finite": "ended by a number that is not finite",
}


def ending(run: "Run") -> str:
    """What came of a run in under 80 characters.

    >>> from types import SimpleNamespace as Thing
    >>> row = {"epoch": 9, "val_score": 0.8}
    >>> ending(Thing(history=[row] * 9, seconds=3.2, stopped="early", keep=Thing(best_epoch=9)))
    'trained 9 epochs in 3.2 s, stopped early; kept epoch 9, score 0.8000'
    """
    n = len(run.history)
    parts = [f"trained {n} epoch{'s' * (n != 1)} in {run.seconds:.{int(run.seconds < 9.95)}f} s"]
    if run.stopped in ENDED:
        parts.append(f", {ENDED[run.stopped]}")
    best = run.keep.best_epoch if run.keep else None
    row = next((r for r in run.history if r["epoch"] == best), None)
    if row is not None:
        score = f", score {row['val_score']:.4f}" if "val_score" in row else ""
        parts.append(f"; kept epoch {best}{score}")
    return "".join(parts)[:79]


def line(run: "Run", row: dict[str, Any]) -> str:
    """The state of a run in under 80 characters."""
    of = f"/{run.epochs}" if run.epochs else ""
    parts = [f"epoch {row['epoch']}{of}", f"loss {row['loss']:.4f}"]
    if "val_loss" in row:
        parts.append(f"validation {row['val_loss']:.4f}")
    if "val_score" in row:
        parts.append(f"score {row['val_score']:.4f}")
    parts.append(f"{run.seconds:.0f} s")
    return "  ".join(parts)[:79]
