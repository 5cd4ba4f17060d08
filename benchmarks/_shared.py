"""What the benchmark scripts share: interleaved rounds, their medians, Markdown, the machine in words."""

import ast
import importlib.util
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]


def data_folder() -> Path:
    """Where the measuring data lie: ``GANGLION_DATA``, by default ``../shared/data`` beside the repository."""
    return Path(os.environ.get("GANGLION_DATA", ROOT.parent / "shared" / "data"))


def setting(text: str) -> tuple[str, object]:
    """``name=value`` with a Python value, or a plain text."""
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def installed(*names: str) -> bool:
    """Whether all these packages can be imported; one that cannot is named, and its row is left out."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        print(f"(left out: {' and '.join(missing)} not installed; pip install 'ganglion[bench]')\n")
    return not missing


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and seconds of processor time of this process, that a piece of work takes."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def interleave(
    contestants: dict[str, Callable[[], tuple[float, float]]], rounds: int
) -> tuple[dict[str, list[tuple[float, float]]], list[float]]:
    """Let everyone run once a round, so that a slow minute of the machine is slow for all.

    Returns each one's (clock, processor) pairs, and for each round how many cores other programs kept busy.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    others = []
    for run in contestants.values():
        run()  # warm up: imports, threads, allocator
    for turn in range(rounds):
        names = list(contestants)
        start, busy, own = time.perf_counter(), busy_seconds(), 0.0
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name].append(contestants[name]())
            own += taken[name][-1][1]
        others.append(max(0.0, busy_seconds() - busy - own) / (time.perf_counter() - start))
    return taken, others


def busy_seconds() -> float:
    """Seconds that all processors together have worked since the start; 0 where the system does not say."""
    try:
        user, nice, system = (float(x) for x in Path("/proc/stat").read_text().split()[1:4])
    except OSError:
        return 0.0
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def ratio(taken: dict[str, list[tuple[float, float]]], a: str, b: str, column: int = 0) -> float:
    """Median of a over median of b; column 0 is the clock, 1 the processor."""
    return median(t[column] for t in taken[a]) / median(t[column] for t in taken[b])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(str(cell) for cell in row) for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def machine() -> str:
    """The machine and the versions that decide speed, in words."""
    import numpy
    import sklearn
    import torch

    return (
        f"{os.cpu_count()} cores, {cpu_name()}, {torch.backends.cpu.get_cpu_capability()}; Python "
        f"{platform.python_version()}, torch {torch.__version__}, NumPy {numpy.__version__}, scikit-learn "
        f"{sklearn.__version__}"
    )


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
