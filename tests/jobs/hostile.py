"""Running the command inside the test process, watched: what it prints, how long it takes, what it touches."""

import contextlib
import io
import os
import resource
import sys
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ganglion.cli.main import main

FORBIDDEN = (
    "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "socket.connect",
    "socket.bind", "pickle.find_class", "urllib.Request", "os.symlink", "os.link", "shutil.rmtree", "webbrowser.open",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SECONDS = 5.0
_watch: "Watch | None" = None


def _audit(event: str, arguments: tuple) -> None:
    if _watch is None:
        return
    if event.startswith(FORBIDDEN):
        _watch.events.append(f"{event} {str(arguments)[:80]}")
    elif event == "open" and isinstance(arguments[0], str | bytes):
        path, flags = os.fsdecode(arguments[0]), arguments[2]
        if (
            isinstance(flags, int)
            and flags & WRITING
            and not path.startswith((str(_watch.folder), "/dev/null"))
        ):
            _watch.events.append(f"write {path}")


sys.addaudithook(_audit)  # it cannot be removed, so it sleeps while nobody watches


@dataclass
class Watch:
    """All runs of one test: faults found, and how they ended."""

    folder: Path
    events: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    ended: Counter = field(default_factory=Counter)
    slowest: float = 0.0

    def run(self, what: str, arguments: list[str]) -> int:
        """Run the command; anything but success or one sentence on standard error is a fault."""
        global _watch
        out, err, self.events = io.StringIO(), io.StringIO(), []
        start, memory = time.process_time(), peak()
        sys.stdin, stdin = io.StringIO(), sys.stdin
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _watch = self
                code = main(arguments)
        except BaseException as error:
            code, err = -1, io.StringIO(f"{type(error).__name__}: {error}")
        finally:
            _watch, sys.stdin = None, stdin
        took = time.process_time() - start
        self.slowest = max(self.slowest, took)
        self.ended[code] += 1
        said = err.getvalue()
        wrong = (
            [f"exit {code}, said {said[-300:]!r}"]
            if code not in (0, 2) or (code == 2 and not one_sentence(said))
            else []
        )
        wrong += [f"took {took:.1f} s"] if took > SECONDS else []
        wrong += [f"took {peak() - memory:.0f} MB"] if peak() - memory > 500 else []
        wrong += (
            ["printed a control character"]
            if any(c < " " and c not in "\n\r\t" for c in said + out.getvalue() * (arguments[0] != "predict"))
            else []
        )
        wrong += self.events
        self.faults += [f"{what}: {one}" for one in wrong]
        return code


def peak() -> float:
    """The most memory that this process ever held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_sentence(said: str) -> bool:
    """Whether standard error holds notes and then exactly one line, one sentence."""
    lines = [line for line in said.splitlines() if line and not line.startswith(("note: ", "  "))]
    text = lines[0] if len(lines) == 1 else ""
    return text.startswith("ganglion: ") and 25 < len(text) < 700 and "Traceback" not in text
