"""Malformed tables and model files through the whole command: a result or one sentence, and nothing else."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ganglion.base.errors import GanglionError
from ganglion.base.files import write_model
from ganglion.data.read import read_table

HERE = Path(__file__).parent


def helper(name: str, folder: Path = HERE) -> ModuleType:
    """A module beside the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(f"hostile_{name}", folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


odd_tables, absurd_models = helper("odd_tables"), helper("absurd_models")
broken_tables = helper("malformed", HERE.parent / "data")
broken_models = helper("malformed_models", HERE.parent / "base")
Watch = helper("hostile").Watch

QUICK = ["--max-epochs", "1", "--no-baselines", "--hidden-layer-sizes", "4", "-q"]
SOUND = "x,c,y\n" + "".join(f"{i % 7},{'ab'[i % 2]},{['no', 'yes'][i % 2]}\n" for i in range(60))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A sound table with its model beside it; the first run also imports everything."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "sound.csv").write_text(SOUND)
    watch = Watch(folder)
    assert watch.run("sound", ["fit", str(folder / "sound.csv"), "-t", "y", *QUICK]) == 0
    return folder


@pytest.fixture
def watch(tmp_path, sound) -> Iterator[Any]:
    """Runs the command; at the end no run may have been at fault, and only what was asked for was written."""
    watch = Watch(tmp_path)
    yield watch
    assert not watch.faults, "\n".join(watch.faults[:60]) + f"\n{len(watch.faults)} faults in {watch.ended}"
    assert not broken_models.MARKER.exists()
    assert not list(tmp_path.glob(".*"))  # no temporary file is left
    assert {p.suffix for p in tmp_path.iterdir()} <= {".ganglion", ".html", ".csv", ""} | ENDINGS


ENDINGS = {".tsv", ".txt", ".gz", ".json", ".jsonl", ".ndjson", ".parquet"}


def use(watch: Any, path: Path, target: str, flags: list[str], what: str) -> None:
    """Fit a table, and if that works, predict and score the same rows."""
    model = path.parent / "m.ganglion"
    fitted = watch.run(
        what, ["fit", str(path), f"--target={target}", "-o", str(model), *QUICK, "--no-report", *flags]
    )
    if fitted == 0:
        for command in ("predict", "evaluate"):
            watch.run(f"{command} {what}", [command, str(model), str(path)])
        model.unlink()


def last_name(path: Path) -> str:
    try:
        return read_table(path).names[-1]
    except GanglionError:
        return "target"


def run_broken_tables(watch: Any, folder: Path, count: int, seed: int) -> None:
    for i, (name, content) in enumerate(broken_tables.files(count, seed)):
        path = folder / name
        path.write_bytes(content)
        use(watch, path, last_name(path), [], f"table {seed}/{i}")
        path.unlink()


def run_odd_tables(watch: Any, folder: Path, cases: list[Any]) -> None:
    for what, name, content, target, flags in cases:
        path = folder / name
        path.write_bytes(content)
        use(watch, path, target, flags, what)
        path.unlink()


def run_broken_models(watch: Any, folder: Path, table: Path, count: int, seed: int) -> None:
    path = folder / "m.ganglion"
    for i, (kind, content) in enumerate(broken_models.variants(seed, count)):
        path.write_bytes(content)
        command = ("predict", "evaluate", "diagnose")[i % 3]
        code = watch.run(
            f"model {kind} {seed}/{i}", [command, str(path), str(table)][: 2 if i % 3 == 2 else 3]
        )
        if code == 0 and kind not in broken_models.MAY_BE_HARMLESS:
            watch.faults.append(f"model {kind} {seed}/{i} was believed")
    path.unlink()


def run_absurd_models(watch: Any, folder: Path, sound: Path, count: int, seed: int) -> None:
    path, table = folder / "m.ganglion", str(sound / "sound.csv")
    for i, (what, parts) in enumerate(absurd_models.variants(sound / "sound.ganglion", seed, count)):
        try:
            write_model(path, **parts)
        except GanglionError:
            continue  # our own writer refuses it
        for command in (
            ["predict", str(path), table],
            ["evaluate", str(path), table],
            ["diagnose", str(path)],
        ):
            if watch.run(f"{command[0]} {seed}/{i} {what}", command) != 0:
                break
        watch.run(f"list {seed}/{i} {what}", ["list", str(folder)])
    path.unlink(missing_ok=True)


def test_broken_tables(watch, tmp_path):
    run_broken_tables(watch, tmp_path, 80, seed=0)
    assert watch.ended[2] > 20


def test_odd_tables(watch, tmp_path):
    cases = odd_tables.cases()
    run_odd_tables(watch, tmp_path, [case for i, case in enumerate(cases) if i % 7 == 0])
    assert min(watch.ended[0], watch.ended[2]) > 10


def test_broken_models(watch, tmp_path, sound):
    run_broken_models(watch, tmp_path, sound / "sound.csv", 63, seed=0)


def test_absurd_models(watch, tmp_path, sound):
    run_absurd_models(watch, tmp_path, sound, 60, seed=0)
    assert watch.ended[2] > 15


@pytest.mark.slow
def test_a_thousand(watch, tmp_path, sound):
    """All of it: at least 1,000 malformed inputs."""
    run_broken_tables(watch, tmp_path, 400, seed=1)
    run_odd_tables(watch, tmp_path, odd_tables.cases())
    tables = sum(watch.ended.values())
    run_broken_models(watch, tmp_path, sound / "sound.csv", 210, seed=1)
    run_absurd_models(watch, tmp_path, sound, 450, seed=1)
    assert tables > 700
    assert sum(watch.ended.values()) > 1000
