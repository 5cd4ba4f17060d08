"""What the command prints: results on standard output, notes, progress and errors on standard error."""

import json
import math
import re
import sys
import textwrap
from typing import Any, TextIO

WIDTH = 79
INTERRUPTED = 130
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def say(text: str = "") -> None:
    """A line for the person."""
    write(sys.stdout, clean(text) + "\n")


def write_plain(text: str) -> None:
    """Data on standard output as it is; on a terminal without control characters."""
    write(sys.stdout, clean(text) if sys.stdout.isatty() else text)


def hint(text: str) -> None:
    """A line beside the result, on standard error, so that a pipe carries results only."""
    write(sys.stderr, clean(text) + "\n")


def note(text: str) -> None:
    """A remark beside the result."""
    hint(folded(f"note: {text}"))


def write(stream: TextIO, text: str) -> None:
    """Text on a stream, at once; what its encoding lacks becomes a question mark."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def clean(text: str) -> str:
    """Text without control characters: names of columns and files never steer the terminal."""
    return CONTROL.sub("?", text)


def folded(line: str) -> str:
    """A line broken at 79 columns, continued with an indent; words longer than a line stay whole."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def say_json(value: Any) -> None:
    """One JSON object; numbers that are not finite become null."""
    write(sys.stdout, json.dumps(finite(value), ensure_ascii=False) + "\n")


def finite(value: Any) -> Any:
    """A value that strict JSON can hold."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def fail(text: str, code: int) -> int:
    """One sentence on standard error, in one line where it goes to a file; returns the exit code."""
    text = clean(f"ganglion: {text}")
    if sys.stderr.isatty():
        text = "\n" * (code == INTERRUPTED) + folded(text)
    write(sys.stderr, text + "\n")
    return code


class Stage:
    """A few words on what is going on, in a line that vanishes; only on a terminal."""

    def __init__(self) -> None:
        self.width = 0

    def __call__(self, text: str = "") -> None:
        """Show ``text`` in place of what stood there; nothing clears the line."""
        if sys.stderr.isatty():
            text = f"{clean(text)[: WIDTH - 4]} ..." if text else ""
            write(sys.stderr, f"\r{text.ljust(self.width)}" + ("" if text else "\r"))
            self.width = len(text) + len("^C")
