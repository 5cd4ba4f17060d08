"""What the command prints: text on standard output, errors as one sentence on standard error."""

import json
import math
import sys
from typing import Any


def say(text: str = "") -> None:
    """A line for the person."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def hint(text: str) -> None:
    """A line beside the result, on standard error, so that a pipe carries results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """One JSON object; numbers that are not finite become null."""
    sys.stdout.write(json.dumps(finite(value), ensure_ascii=False) + "\n")


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
    """One sentence on standard error; returns the exit code."""
    sys.stderr.write(f"ganglion: {text}\n")
    return code
