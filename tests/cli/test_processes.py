"""Wrong inputs as real processes: exit code 2, one sentence on standard error, nothing on standard output."""

import gzip
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

GOOD = b"a,b,y\n" + b"".join(b"%d,x%d,%s\n" % (i, i % 3, [b"no", b"yes"][i % 2]) for i in range(30))

TABLES: dict[str, tuple[str, bytes]] = {
    "ragged": ("t.csv", GOOD + b"1,2\n"),
    "a cell too many": ("t.csv", GOOD + b"1,2,3,4\n"),
    "empty": ("t.csv", b""),
    "white space": ("t.csv", b" \n\t\n  \n"),
    "a header only": ("t.csv", b"a,b,y\n"),
    "one row": ("t.csv", b"a,b,y\n1,2,yes\n"),
    "one class": ("t.csv", b"a,b,y\n" + b"1,2,yes\n" * 30),
    "no target": ("t.csv", b"a,b,y\n" + b"1,2,?\n" * 30),
    "names twice": ("t.csv", b"a,a,y\n" + b"1,2,yes\n" * 30),
    "zeros": ("t.csv", bytes(5000)),
    "an open quote": ("t.csv", GOOD + b'1,"2,yes\n'),
    "an infinite target": (
        "t.csv",
        b"a,b,y\n" + b"".join(b"%d,2,%d.5\n" % (i, i) for i in range(30)) + b"1,2,inf\n",
    ),
    "100,000 columns": (
        "t.csv",
        b",".join(b"c%d" % i for i in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
    ),
    "a cut gzip": ("t.csv.gz", gzip.compress(GOOD)[:40]),
    "a false gzip": ("t.csv.gz", b"\x1f\x8b" + os.urandom(50)),
    "a cut parquet": ("t.parquet", b"PAR1" + os.urandom(200)),
    "a false parquet": ("t.parquet", GOOD),
    "cut JSON": ("t.jsonl", b'{"a": 1, "y": 2}\n{"a": 1,\n'),
    "deep JSON": ("t.json", b"[" * 100_000),
    "JSON numbers": ("t.jsonl", b"1\n2\n"),
    "a picture": ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
    "a pickle": ("t.csv", pickle.dumps({"a": [1, 2]})),
    "a zip": ("t.csv", b"PK\x03\x04" + bytes(range(256)) * 4),
}


def ganglion(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as its own process in ``folder``."""
    command = [sys.executable, "-m", "ganglion.cli.main", *map(str, arguments)]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=60, check=False
    )


def check(ended: subprocess.CompletedProcess[str], folder: Path, before: set[str]) -> None:
    lines = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout, len(lines)) == (2, "", 1), ended.stderr[-500:]
    assert lines[0].startswith("ganglion: ")
    assert 30 < len(lines[0]) < 600
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize("what", TABLES)
def test_tables(tmp_path, what):
    name, content = TABLES[what]
    (tmp_path / name).write_bytes(content)
    start = time.monotonic()
    ended = ganglion("fit", name, "--target", "y", folder=tmp_path)
    assert time.monotonic() - start < 20  # of which a busy machine takes most
    check(ended, tmp_path, {name})


@pytest.mark.parametrize("what", ["a folder", "no file", "a pipe", "a name too long"])
def test_paths(tmp_path, what):
    (tmp_path / "d.csv").mkdir()
    os.mkfifo(tmp_path / "p.csv")
    name = {"a folder": "d.csv", "no file": "none.csv", "a pipe": "p.csv", "a name too long": "n" * 300}[what]
    check(ganglion("fit", name, "-t", "y", folder=tmp_path), tmp_path, {"d.csv", "p.csv"})


def models(folder: Path) -> dict[str, str]:
    """Files that are no models, some of them with something to run inside."""
    marker = folder / "ran"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    raw = pickle.dumps(Payload())
    (folder / "pickle.ganglion").write_bytes(raw)
    with zipfile.ZipFile(folder / "torch.ganglion", "w") as archive:
        archive.writestr("archive/data.pkl", raw)
    with zipfile.ZipFile(folder / "escape.ganglion", "w") as archive:
        archive.writestr("../../escape", "x")
        archive.writestr("config.json", "{}")
    (folder / "text.ganglion").write_text("hello")
    (folder / "empty.ganglion").write_bytes(b"")
    (folder / "link.ganglion").symlink_to("/dev/zero")
    (folder / "loop.ganglion").symlink_to("loop.ganglion")
    (folder / "t.csv").write_bytes(GOOD)
    return {path.stem: path.name for path in folder.glob("*.ganglion")} | {"none": "none.ganglion"}


@pytest.mark.parametrize("what", ["pickle", "torch", "escape", "text", "empty", "link", "loop", "none"])
def test_models(tmp_path, what):
    name = models(tmp_path)[what]
    before = {path.name for path in tmp_path.iterdir()}
    check(ganglion("predict", name, "t.csv", folder=tmp_path), tmp_path, before)
    assert not (tmp_path / "ran").exists()


def test_a_sound_table_in_a_pipe(tmp_path):
    (tmp_path / "t.csv").write_bytes(GOOD)
    ended = ganglion("fit", "t.csv", "-t", "y", "--max-epochs", "2", "--no-baselines", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "\r" not in ended.stdout + ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "wrote t.ganglion\nwrote t.html\n" in ended.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.ganglion", "t.html"}
