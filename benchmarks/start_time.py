"""Claim: ``import ganglion`` costs under 0.1 s beyond a bare Python, ``ganglion --help`` answers under 0.3 s.

    python benchmarks/start_time.py

Whole processes, taking turns, medians of seven rounds. ``tests/house/test_start_time.py`` holds the same limits.
"""

import importlib.util
import subprocess
import sys
import time
from statistics import median

ROUNDS = 7
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import ganglion": ["-c", "import ganglion"],
    "ganglion --help": ["-m", "ganglion.cli.main", "--help"],
    "import torch (for comparison)": ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    """One process from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def measure(names: list[str], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Seconds of every command in every round; a first round warms the file cache and is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names:
            took = seconds(COMMANDS[name])
            if turn:
                taken[name].append(took)
    return taken


def has_command() -> bool:
    """Whether the command line is there to be measured."""
    return importlib.util.find_spec("ganglion.cli.main") is not None


def main() -> None:
    """Print the table."""
    from _shared import machine, table

    names = [name for name in COMMANDS if name != "ganglion --help" or has_command()]
    taken = measure(names)
    bare = median(taken["python -c pass"])
    rows = [
        [f"`{name}`", f"{median(t):.3f}", f"{min(t):.3f} to {max(t):.3f}", f"{median(t) - bare:.3f}"]
        for name, t in taken.items()
    ]
    print(f"## Start\n\n{machine()}\n")
    print(table(["process", "seconds", "spread", "beyond bare Python"], rows))


if __name__ == "__main__":
    main()
