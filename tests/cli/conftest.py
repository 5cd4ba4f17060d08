"""A small table with a bit of everything, a model of it, and a way to run the command in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ganglion.cli.main import main

QUICK = ["--max-epochs", "8", "--hidden-layer-sizes", "16"]


@dataclass
class Ended:
    """How a command ended: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys) -> Callable[..., Ended]:
    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def rows(n: int, seed: int = 0) -> list[list[str]]:
    """age, job, id, y: the target follows the first two."""
    rng = np.random.default_rng(seed)
    table = []
    for i in range(n):
        age, job = int(rng.integers(18, 80)), str(rng.choice(["cook", "nurse", "smith"]))
        wealthy = age + 20 * (job == "nurse") + rng.normal(0, 6) > 55
        gap = rng.random() < 0.05
        table.append(["" if gap else str(age), job, f"k{seed}-{i:04d}", "rich" if wealthy else "=poor"])
    return table


def write(path: Path, header: list[str], table: list[list[str]]) -> Path:
    path.write_text("\n".join(",".join(row) for row in [header, *table]) + "\n")
    return path


HEADER = ["age", "job", "id", "y"]


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("table") / "people.csv", HEADER, rows(300))


@pytest.fixture(scope="session")
def model(table) -> Path:
    path = table.parent / "kept" / "people.ganglion"
    path.parent.mkdir()
    code = main(["fit", str(table), "-t", "y", "-o", str(path), "--no-report", "-q", *QUICK])
    assert code == 0
    return path
