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
SOUND = "x,c,y\n" + "".join(f"{i % 7},{'abc'[i % 3]},{['no', 'yes'][i % 2]}\n" for i in range(60))
MADE = ["--encode", "target", "--interactions", "squares", "--select", "mutual_information(2)"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A sound table with models of it: of classes, of numbers, of made columns; the first run imports everything."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "sound.csv").write_text(SOUND)
    for target, name, task in (
        ("y", "classes", []),
        ("x", "numbers", ["--task", "regression"]),
        ("y", "made", MADE),
    ):
        flags = ["-o", str(folder / name), *task, *QUICK]
        assert Watch(folder).run(name, ["fit", str(folder / "sound.csv"), "-t", target, *flags]) == 0
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


def run_absurd_models(watch: Any, folder: Path, sound: Path, count: int, seed: int, page: int = 10**9) -> int:
    """``count`` absurd models; each ``page``-th also gets a report. Returns how many could be written at all."""
    path, table, written = folder / "m.ganglion", str(sound / "sound.csv"), 0
    real = sound / ("classes.ganglion", "numbers.ganglion", "made.ganglion")[seed % 3]
    for i, (what, parts) in enumerate(absurd_models.variants(real, seed, count)):
        try:
            write_model(path, **parts)
        except GanglionError:
            continue  # our own writer refuses it
        written += 1
        commands = [["predict", str(path), table], ["evaluate", str(path), table], ["diagnose", str(path)]]
        for command in commands + [["report", str(path), table]] * (i % page == page - 1):
            if watch.run(f"{command[0]} {seed}/{i} {what}", command) != 0:
                break
        watch.run(f"list {seed}/{i} {what}", ["list", str(folder)])
    path.unlink(missing_ok=True)
    return written


def test_broken_tables(watch, tmp_path):
    run_broken_tables(watch, tmp_path, 80, seed=0)
    assert watch.ended[2] > 20


def test_odd_tables(watch, tmp_path):
    cases = odd_tables.cases()
    run_odd_tables(watch, tmp_path, [case for i, case in enumerate(cases) if i % 7 == 0])
    assert min(watch.ended[0], watch.ended[2]) > 10


def test_broken_models(watch, tmp_path, sound):
    run_broken_models(watch, tmp_path, sound / "sound.csv", 63, seed=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_absurd_models(watch, tmp_path, sound, seed):
    assert run_absurd_models(watch, tmp_path, sound, 45, seed) > 40
    assert watch.ended[2] > 10


@pytest.mark.slow
def test_more_than_a_thousand(watch, tmp_path, sound):
    """All of it: tables that are broken or odd, model files that are broken or absurd."""
    cases = odd_tables.cases()
    run_broken_tables(watch, tmp_path, 400, seed=1)
    run_odd_tables(watch, tmp_path, cases)
    run_broken_models(watch, tmp_path, sound / "sound.csv", 210, seed=1)
    absurd = [run_absurd_models(watch, tmp_path, sound, 240, seed, page=8) for seed in (3, 4, 5)]
    assert 400 + len(cases) + 210 + sum(absurd) > 1000
    assert watch.ended[2] > 700
