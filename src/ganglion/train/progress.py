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
        """The last line stays."""
        if run.history:
            self._write(line(run, run.history[-1]))
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
