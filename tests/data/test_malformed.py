"""Broken tables are read, or refused in one sentence; nothing else happens, and nothing hangs."""

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ganglion.base.errors import GanglionError
from ganglion.data.columns import as_frame
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.read import read_table
from ganglion.data.target import infer_task

_spec = importlib.util.spec_from_file_location("malformed_tables", Path(__file__).with_name("malformed.py"))
malformed = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(malformed)

N_FILES, N_FRAMES = 600, 300
FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.spawn", "socket.connect", "pickle.find_class")
_events: list[str] = []
_watching = False


def _audit(event: str, args: tuple) -> None:
    if _watching and event.startswith(FORBIDDEN):
        _events.append(event)


@pytest.fixture(scope="module", autouse=True)
def watch():
    """An audit hook cannot be removed, so it stays and sleeps."""
    sys.addaudithook(_audit)


def use(table) -> None:
    """What the main job does with a table before the network."""
    frame = as_frame(table)
    if len(frame.names) > 1:
        task = infer_task(frame.stored(len(frame.names) - 1))
        frame = frame.drop([frame.names[-1]]).take(task.kept)
    pre = TablePreprocessor().fit(frame)
    out = pre.transform(frame)
    if not np.isfinite(out).all():
        raise AssertionError("a network would get numbers that are not finite")
    pre.schema_differences(frame)


def one_sentence(error: GanglionError) -> bool:
    text = str(error)
    return "\n" not in text and 20 < len(text) < 500 and text.rstrip(".)").count(". ") == 0


@pytest.mark.parametrize("part", range(6))
def test_broken_files(tmp_path, part):
    global _watching
    outcomes = {"used": 0, "refused": 0}
    for name, content in malformed.files(N_FILES // 6, seed=part):
        path = tmp_path / name
        path.write_bytes(content)
        _events.clear()
        _watching = True
        start = time.process_time()
        try:
            use(read_table(path))
            outcomes["used"] += 1
        except GanglionError as error:
            if not one_sentence(error):
                raise AssertionError(f"not one sentence: {error}") from error
            outcomes["refused"] += 1
        finally:
            _watching = False
        assert time.process_time() - start < 5, (name, content[:200])
        assert not _events
    assert outcomes["used"] > 5
    assert outcomes["refused"] > 20


def test_broken_objects():
    refused = 0
    for i in range(N_FRAMES):
        table = malformed.frames(np.random.default_rng([7, i]))
        try:
            use(table)
        except GanglionError as error:
            if not one_sentence(error):
                raise AssertionError(f"not one sentence: {error}") from error
            refused += 1
    assert 50 < refused < N_FRAMES - 20


@pytest.mark.parametrize("rows", [1, 3])
def test_a_hundred_thousand_columns(tmp_path, rows):
    line = ",".join(["1.5"] * 100_000)
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([line] * rows) + "\n")
    start = time.process_time()
    with pytest.raises(GanglionError, match="100,000"):
        read_table(path)
    assert time.process_time() - start < 5


def test_the_widest_text_table_that_is_taken_takes_no_more_a_column_than_a_narrow_one(tmp_path):
    path, seconds = tmp_path / "wide.csv", {}
    for n in (2_500, 10_000):
        header, cells = ",".join(f"c{i}" for i in range(n)), ",".join(["1.5", "word", "", "3"] * (n // 4))
        path.write_text(f"{header}\n{cells[:-1]}4\n{cells}\n{cells}\n{cells[:-1]}4\n")
        start = time.process_time()
        use(read_table(path))
        seconds[n] = time.process_time() - start
    assert seconds[10_000] < 8 * seconds[2_500]  # 4 where it grows with the columns, 16 with their square


@pytest.mark.parametrize(
    "content",
    [
        b'"' * 1_000_001,
        b"," * 1_000_001,
        b"\n" * 1_000_001,
        b",\n" * 300_000,
        b'a,b\n1,"x\n' * 50_001,
        b"a" * 9_000_000,
    ],
    ids=["quotes", "commas", "line ends", "empty cells", "open quotes", "one cell"],
)
def test_monotonous_files_do_not_hang(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    start = time.process_time()
    try:
        use(read_table(path))
    except GanglionError as error:
        if not one_sentence(error):
            raise AssertionError(f"not one sentence: {error}") from error
    assert time.process_time() - start < 5
