"""The model file: what goes in comes out, what is malformed is refused, and no write is ever half done."""

import errno
import io
import os
import pickle
import re
import resource
import runpy
import signal
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.base import files
from ganglion.base.errors import GanglionError, ModelFileError
from ganglion.base.files import ModelFile, read_model, sweep, write_atomically, write_model

malformed = runpy.run_path(str(Path(__file__).with_name("malformed_models.py")))
content, GOOD, MARKER = malformed["content"], malformed["GOOD"], malformed["MARKER"]

SECONDS, MEMORY = 5.0, 64 << 20
FORBIDDEN = {
    "exec", "compile", "import", "marshal.loads", "pickle.find_class", "os.system", "os.exec", "os.fork",
    "os.posix_spawn", "subprocess.Popen", "socket.connect", "ctypes.dlopen", "os.remove", "os.rename",
    "os.mkdir", "os.chmod", "os.symlink", "shutil.unpack_archive",
}  # fmt: skip


class Watch:
    """What this thread did between ``with`` and its end that reading a file has no business doing."""

    def __init__(self) -> None:
        self.thread: int | None = None
        self.seen: list[str] = []
        sys.addaudithook(self.hear)  # a hook cannot be removed, so it listens only while asked

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.thread != threading.get_ident():
            return
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in FORBIDDEN or writes:
            self.seen.append(f"{event} {arguments!r:.80}")

    @contextmanager
    def on(self) -> Iterator[list[str]]:
        self.seen, self.thread = [], threading.get_ident()
        try:
            yield self.seen
        finally:
            self.thread = None


WATCH = Watch()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.ganglion"


def is_content(model: ModelFile, expected: dict[str, Any]) -> bool:
    """Whether a model equals what was written, arrays by bits, dtype and shape."""
    plain = all(getattr(model, part) == expected[part] for part in ("config", "card", "preprocess"))
    return plain and all(
        sorted(getattr(model, part)) == sorted(expected[part])
        and all(
            found.dtype == np.asarray(expected[part][name]).dtype
            and found.shape == np.shape(expected[part][name])
            and found.tobytes() == np.asarray(expected[part][name]).tobytes()
            for name, found in getattr(model, part).items()
        )
        for part in ("arrays", "weights")
    )


# --- round trip -------------------------------------------------------------------------------------------


def test_what_goes_in_comes_out(path: Path) -> None:
    write_model(path, **content())
    assert is_content(read_model(path), content())


def test_same_content_same_bytes(path: Path) -> None:
    write_model(path, **content())
    assert path.read_bytes() == GOOD


def test_torch_tensors_are_taken_and_arrays_give_tensors_back(path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    write_model(path, **{**content(), "weights": layer.state_dict()})
    back = {name: torch.from_numpy(array) for name, array in read_model(path).weights.items()}
    assert all(torch.equal(back[name], value) for name, value in layer.state_dict().items())


def deep(levels: int) -> dict[str, Any]:
    return {"a": deep(levels - 1)} if levels else {}


@pytest.mark.parametrize(
    ("part", "value", "says"),
    [
        ("card", {"when": object()}, "card.when holds a object"),
        ("card", {"scores": {1: 2}}, "card.scores has the key 1"),
        ("card", {"x": {"$number": "nan"}}, "keys in a model file are text"),
        ("card", {"x": np.zeros(3)}, "card.x holds a ndarray"),
        ("card", deep(70), "nested deeper than 64"),
        ("config", {"parameters": {}}, "config needs the text 'estimator'"),
        ("config", {"estimator": "A", "sha256": {}}, "may not hold"),
        ("weights", {"w": np.array(["text"])}, "weights holds 'w' of <U4"),
        ("weights", {"w": np.array([object()])}, "weights holds 'w' of object"),
        ("arrays", {"w": np.array([1j])}, "arrays holds 'w' of complex128"),
        ("arrays", {3: np.zeros(2)}, "use text names"),
        ("preprocess", {"levels": ["x"] * 1_500_000}, "more than a model file may hold"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_writing(
    path: Path, part: str, value: Any, says: str
) -> None:
    with pytest.raises(GanglionError, match=re.escape(says)):
        write_model(path, **{**content(), part: value})
    assert not list(path.parent.iterdir())


# --- versions ---------------------------------------------------------------------------------------------


def test_a_newer_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FORMAT_VERSION", 3)
    write_model(path, **content())
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"newer Ganglion \(format 3; this one reads up to 1\)"):
        read_model(path)


def test_an_older_format_goes_through_every_migration(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(model: ModelFile) -> ModelFile:
        return ModelFile({**model.config, "renamed": True}, model.card, model.preprocess, {}, model.weights)

    def numbered(model: ModelFile) -> ModelFile:
        return ModelFile({**model.config, "n": len(model.config)}, model.card, {}, {}, model.weights)

    write_model(path, **content())
    monkeypatch.setattr(files, "FORMAT_VERSION", 3)
    monkeypatch.setattr(files, "MIGRATIONS", {1: renamed, 2: numbered})
    assert read_model(path).config == {**content()["config"], "renamed": True, "n": 3}
    monkeypatch.setattr(files, "MIGRATIONS", {1: renamed})
    with pytest.raises(ModelFileError, match="format 2, which this version no longer reads"):
        read_model(path)


# --- malformed files --------------------------------------------------------------------------------------


def test_the_watch_hears_a_pickle_run(tmp_path: Path) -> None:
    with WATCH.on() as seen:
        pickle.loads(pickle.dumps(malformed["Payload"]()))
        (tmp_path / "x").write_bytes(b"")
    MARKER.unlink()
    assert {"pickle.find_class", "os.system", "open"} <= {event.split()[0] for event in seen}


def judge(path: Path, raw: bytes, kind: str) -> str:
    """Read one malformed file; what went wrong in doing so, or nothing."""
    path.write_bytes(raw)
    start = time.perf_counter()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with WATCH.on() as seen:
        try:
            model, message = read_model(path), ""
        except ModelFileError as error:
            model, message = None, str(error)
        except Exception as error:
            return f"{error!r:.200} instead of a sentence"
    if seen:
        return f"did {seen}"
    if time.perf_counter() - start > SECONDS:
        return "took too long"
    if tracemalloc.get_traced_memory()[1] - before > MEMORY:
        return "took too much memory"
    if model is not None:
        allowed = kind in malformed["MAY_BE_HARMLESS"] and is_content(model, content())
        return "" if allowed else "was read"
    one_sentence = (
        message.startswith(str(path)) and len(message) < len(str(path)) + 260 and message.isprintable()
    )
    return "" if one_sentence else f"message is not one sentence: {message!r}"


def test_500_malformed_files_are_refused_or_harmless(path: Path) -> None:
    path.write_bytes(b"")
    with pytest.raises(ModelFileError, match="empty"):
        read_model(path)
    path.write_bytes(GOOD)
    read_model(path)  # whatever is imported late is imported now, so that the watch hears only the file
    tracemalloc.start()
    try:
        wrong = [
            f"{i} {kind}: {verdict}"
            for i, (kind, raw) in enumerate(malformed["variants"](2024, 500))
            if (verdict := judge(path, raw, kind))
        ]
    finally:
        tracemalloc.stop()
    assert not wrong
    assert not MARKER.exists()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_truncations_everywhere_are_refused(path: Path) -> None:
    for length in range(0, len(GOOD), 3):
        path.write_bytes(GOOD[:length])
        with pytest.raises(ModelFileError):
            read_model(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder, a pipe or a device"),
        (lambda path: os.mkfifo(path), "is a folder, a pipe or a device"),
        (lambda path: path.symlink_to("/dev/zero"), "is a folder, a pipe or a device"),
        (lambda path: path.symlink_to(path), "is damaged or cut short"),
    ],
    ids=["missing", "folder", "pipe", "device", "loop"],
)
def test_what_is_no_file_is_refused_at_once(path: Path, make: Any, says: str) -> None:
    make(path)
    with pytest.raises(ModelFileError, match=says):
        read_model(path)


def test_a_link_to_a_model_is_read_and_kept_when_written(path: Path) -> None:
    link = path.with_name("link.ganglion")
    link.symlink_to(path)
    write_model(link, **content())
    assert link.is_symlink()
    assert path.read_bytes() == GOOD
    assert is_content(read_model(link), content())


def test_compressed_members_are_refused_unread(path: Path) -> None:
    path.write_bytes(malformed["repacked"]({}, compression=8))
    with pytest.raises(ModelFileError, match=r"holds config\.json compressed"):
        read_model(path)


def test_a_long_directory_is_refused_unread(path: Path) -> None:
    path.write_bytes(malformed["long_directory"](malformed["Draw"](0)))
    with pytest.raises(ModelFileError, match="its directory is longer"):
        read_model(path)


def test_torch_checkpoints_are_named(path: Path) -> None:
    torch.save({"w": torch.zeros(2)}, path)
    with pytest.raises(ModelFileError, match="is a torch checkpoint"):
        read_model(path)


# --- writing ----------------------------------------------------------------------------------------------


def only(path: Path, raw: bytes) -> bool:
    return path.read_bytes() == raw and [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_previous_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"previous")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)  # a disk may say so only when the data is pushed to it
    with pytest.raises(GanglionError, match="no space left on device") as caught:
        write_model(path, **content())
    assert isinstance(caught.value.__cause__, OSError)
    assert only(path, b"previous")


def test_a_really_full_disk_leaves_the_previous_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    try:
        path = disk / "model.ganglion"
        write_model(path, **content())
        with pytest.raises(GanglionError, match="no space left on device"):
            write_model(path, **{**content(), "weights": {"w": np.zeros(100_000)}})
        assert only(path, GOOD)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_write_that_stops_in_the_middle_leaves_the_previous_file(path: Path) -> None:
    """A limit on file sizes makes the kernel itself refuse the rest of the bytes; no root needed."""
    path.write_bytes(b"previous")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(GanglionError, match="file too large"):
            write_atomically(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert only(path, b"previous")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_writer_leaves_the_previous_file(path: Path, error: type[BaseException]) -> None:
    path.write_bytes(b"previous")

    def write(file: io.BufferedWriter) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(error):
        write_atomically(path, write)
    assert only(path, b"previous")


KILLED = """
import os, signal, sys
from ganglion.base import files
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def half(file): file.write(b"half"); file.flush(); die()
if sys.argv[2] == "rename": os.replace = die
files.write_atomically(sys.argv[1], half if sys.argv[2] == "write" else b"whole")
"""


@pytest.mark.parametrize("moment", ["write", "rename"])
def test_a_kill_leaves_the_previous_file_and_the_leftover_is_swept(path: Path, moment: str) -> None:
    path.write_bytes(b"previous")
    killed = subprocess.run([sys.executable, "-c", KILLED, path, moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    leftover = [entry for entry in path.parent.iterdir() if entry != path]
    assert len(leftover) == 1
    assert path.read_bytes() == b"previous"
    assert sweep(path.parent) == leftover
    assert only(path, b"previous")


def test_sweep_touches_nothing_but_abandoned_leftovers(tmp_path: Path) -> None:
    host, gone = files._host(), subprocess.Popen(["true"])
    gone.wait()
    keep = [
        tmp_path / "model.ganglion",
        tmp_path / ".notes.tmp-ganglion",
        tmp_path / f".m.{os.getpid()}.{host}00000000.tmp-ganglion",
        tmp_path / f".m.{gone.pid}.{'0' * 16}.tmp-ganglion",  # another machine's
    ]
    old = tmp_path / f".m.{os.getpid()}.{host}11111111.tmp-ganglion"
    dead = tmp_path / f".m.{gone.pid}.{host}00000000.tmp-ganglion"
    link = tmp_path / f".l.{gone.pid}.{host}00000000.tmp-ganglion"
    for entry in [*keep, old, dead]:
        entry.write_bytes(b"x")
    link.symlink_to(keep[0])
    os.utime(old, (0, 0))
    assert sorted(sweep(tmp_path)) == sorted([old, dead])
    assert sorted(tmp_path.iterdir()) == sorted([*keep, link])
    assert sweep(tmp_path / "missing") == []


def test_permissions_are_kept_and_only_files_are_replaced(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    pipe = path.with_name("pipe")  # stands for /dev/null, which a failing test must not be able to replace
    os.mkfifo(pipe)
    with pytest.raises(GanglionError, match="is a folder or a device"):
        write_atomically(pipe, b"new")
    assert pipe.is_fifo()
    with pytest.raises(GanglionError, match="could not be written"):
        write_atomically(path.parent / "missing" / "x", b"new")
    write_atomically(path.parent / ("ü" * 120), b"a name near the longest")


def test_files_imports_no_torch() -> None:
    code = "import sys, ganglion.base.files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
