"""Model files as an accident or an attacker would make them, from a seed.

``variants(seed, count)`` yields ``(kind, bytes)``. Of the kinds in ``MAY_BE_HARMLESS`` a file may still read
back equal to ``content()`` (a flip in a field that nobody uses); every other kind must be refused.
"""

import hashlib
import io
import json
import os
import pickle
import stat
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from ganglion.base.files import CONFIG, MEMBERS, write_model

MARKER = Path(tempfile.gettempdir()) / "ganglion-payload-ran"
WEIGHTS = "weights.safetensors"
MAY_BE_HARMLESS = ("flip", "block", "local_header", "central_header", "end_record")


class Draw(Random):
    """Random numbers, and ``pick``, which takes the options in turn so that none is left out."""

    turn = 0

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.turn % len(options)]


def content() -> dict[str, Any]:
    """The parts of a small sound model, as ``write_model`` takes them."""
    rng = np.random.default_rng(0)
    return {
        "config": {"estimator": "MLPClassifier", "parameters": {"lr": 0.01, "hidden_layer_sizes": [4]}},
        "card": {"classes": ["no", "yes"], "loss": float("inf"), "name": "é\ud800"},
        "preprocess": {"columns": [{"name": "age", "mean": 38.5}]},
        "arrays": {"scale": rng.random(3), "seen": np.array([True, False])},
        "weights": {
            "0.weight": rng.random((4, 3), dtype=np.float32),
            "0.bias": np.zeros(4, np.float32),
            "n": np.int64(7),
        },
    }


def good_bytes() -> bytes:
    """The bytes of that model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.ganglion"
        write_model(path, **content())
        return path.read_bytes()


GOOD = good_bytes()


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        return {name: archive.read(name) for name in MEMBERS}


def packed(parts: list[tuple[str | zipfile.ZipInfo, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, raw in parts:  # zipfile warns of double names, which are wanted here
            if isinstance(name, str):
                archive.writestr(zipfile.ZipInfo(name), raw, compression)
            else:
                archive.writestr(name, raw)
    return buffer.getvalue()


def signed(changes: dict[str, bytes]) -> dict[str, bytes]:
    """The members with some replaced and all checksums made right again: what an attacker would do."""
    parts = {**members(), **changes}
    if CONFIG not in changes:
        head = json.loads(parts[CONFIG])
        head["sha256"] = {name: hashlib.sha256(parts[name]).hexdigest() for name in MEMBERS[1:]}
        parts[CONFIG] = json.dumps(head).encode()
    return parts


def repacked(changes: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    return packed(list(signed(changes).items()), compression)


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {MARKER}",)


def truncated(rng: Draw) -> bytes:
    return GOOD[: rng.randrange(len(GOOD))]


def flip(rng: Draw) -> bytes:
    raw = bytearray(GOOD)
    for _ in range(rng.randint(1, 3)):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def block(rng: Draw) -> bytes:
    at = rng.randrange(len(GOOD))
    noise = rng.randbytes(rng.randint(1, 64))
    return (GOOD[:at] + noise + GOOD[at + len(noise) :])[: len(GOOD)]


def inserted(rng: Draw) -> bytes:
    at = rng.randrange(4, len(GOOD) - 200)
    return GOOD[:at] + rng.randbytes(rng.randint(1, 64)) + GOOD[at:]


def number(rng: Draw, size: int) -> bytes:
    """A length that somebody might believe."""
    top = (1 << 8 * size) - 1
    return rng.choice([0, 1, top, top >> 1, rng.randrange(top), rng.randrange(3000)]).to_bytes(9, "little")[
        :size
    ]


def patched(rng: Draw, start: int, fields: list[tuple[int, int]]) -> bytes:
    at, size = rng.choice(fields)
    raw = bytearray(GOOD)
    raw[start + at : start + at + size] = number(rng, size)
    return bytes(raw)


def places(mark: bytes) -> list[int]:
    return [at for at in range(len(GOOD)) if GOOD.startswith(mark, at)]


def local_header(rng: Draw) -> bytes:
    """A lying flag, method, checksum, size or name length in front of a member."""
    return patched(
        rng,
        rng.choice(places(b"PK\3\4")),
        [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)],
    )


def central_header(rng: Draw) -> bytes:
    """The same in the directory at the end, and lying attributes and offsets."""
    fields = [(6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (38, 4), (42, 4)]
    return patched(rng, rng.choice(places(b"PK\1\2")), fields)


def end_record(rng: Draw) -> bytes:
    return patched(rng, places(b"PK\5\6")[0], [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)])


def lying_array(rng: Draw) -> bytes:
    """A safetensors header that promises what is not there, with checksums made right."""
    name = rng.choice([WEIGHTS, "preprocess.safetensors"])
    raw = members()[name]
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    row = header[rng.choice(sorted(header))]
    begin, end = row["data_offsets"]
    change = rng.pick(
        [
            {"shape": [1 << 40, 1 << 40]},
            {"shape": [0, 1 << 61]},
            {"shape": [-1, -(end - begin)]},
            {"shape": [True]},
            {"shape": [end - begin, 2]},
            {"shape": [1] * 40 + row["shape"]},
            {"shape": 3},
            {"dtype": "F128"},
            {"dtype": "object"},
            {"dtype": ["F32"]},
            {"data_offsets": [begin, end + 8]},
            {"data_offsets": [end, begin]},
            {"data_offsets": [0, 1 << 62]},
            {"data_offsets": [begin + 1, end + 1]},
            {"data_offsets": [begin, end, end]},
            {"data_offsets": [float(begin), end]},
            {"file": "../../etc/passwd"},
        ]
    )
    row.update(change)
    text = json.dumps(header).encode()
    return repacked({name: len(text).to_bytes(8, "little") + text + raw[8 + length :]})


def broken_arrays(rng: Draw) -> bytes:
    """Bytes that are no safetensors at all, or end too early or late, with checksums made right."""
    raw = members()[WEIGHTS]
    length = int.from_bytes(raw[:8], "little")
    return repacked(
        {
            WEIGHTS: rng.pick(
                [
                    b"",
                    raw[: rng.randrange(len(raw))],
                    raw + rng.randbytes(rng.randint(1, 9)),
                    number(rng, 8)[:7] + b"\xff" + raw[8:],
                    (length - 1).to_bytes(8, "little") + raw[8:],
                    (8).to_bytes(8, "little") + b"[1,2,3]" + raw[8:],
                    (1 << 63).to_bytes(8, "little"),
                    pickle.dumps(Payload()),
                    struct.pack("<Q", 60_000) + b'{"a":' * 10_000 + b"}" * 10_000,
                ]
            )
        }
    )


def not_a_boolean(rng: Draw) -> bytes:
    raw = bytearray(members()["preprocess.safetensors"])
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    start = 8 + int.from_bytes(raw[:8], "little") + header["seen"]["data_offsets"][0]
    raw[start] = rng.randint(2, 255)
    return repacked({"preprocess.safetensors": bytes(raw)})


def strange_member(rng: Draw) -> bytes:
    """One member too many: escapes, absolute names, folders, links, code, doubles."""
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    escapes = ["../escape.json", "../" * 9 + "etc/cron.d/x", "/etc/passwd", "C:\\evil.exe", "..\\evil"]
    others = ["folder/", "module.py", "weights.pkl", "config.json\0.py", "CONFIG.JSON", "é" * 40, "", link]
    extra: str | zipfile.ZipInfo = rng.pick([*escapes, *others])
    parts: list[tuple[str | zipfile.ZipInfo, bytes]] = list(members().items())
    parts.insert(rng.randrange(len(parts)), (extra, b"/etc/passwd"))
    return packed(parts)


def special_member(rng: Draw) -> bytes:
    """A proper member with its proper content, marked as a link, folder or device."""
    parts = dict(members())
    member = zipfile.ZipInfo(rng.choice(MEMBERS))
    kind = rng.choice([stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
    member.external_attr = (kind | 0o600) << 16
    return packed([(member if name == member.filename else name, raw) for name, raw in parts.items()])


def lying_sizes(rng: Draw) -> bytes:
    """Both sizes of a member in the directory, large and equal, as for a stored one."""
    raw = bytearray(GOOD)
    at = rng.choice(places(b"PK\1\2"))
    size = struct.pack("<I", rng.choice([1 << 30, (1 << 32) - 2, 40_000]))
    raw[at + 20 : at + 28] = size + size
    return bytes(raw)


def missing_member(rng: Draw) -> bytes:
    gone = rng.choice(MEMBERS)
    return packed([(name, raw) for name, raw in members().items() if name != gone])


def exchanged_members(rng: Draw) -> bytes:
    """Two members under each other's name: sound zip, wrong checksums."""
    first, second = rng.sample(MEMBERS, 2)
    parts = members()
    parts[first], parts[second] = parts[second], parts[first]
    return packed(list(parts.items()))


def bad_json(rng: Draw) -> bytes:
    name = rng.choice(MEMBERS[1:3])
    bad = [
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[" * 500_000,
        b'{"a":' + b"9" * 20_000 + b"}",
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1,"a":2}',
        b'{"a":{"$number":"pi"}}',
        b'{"$number":"nan"}',
        b"[1,2]",
        b'"text"',
        b"",
        b"{",
        b'{"a":"\xff"}',
        "{}".encode("utf-16"),
        b'{"a":"' + b'\\"' * 100_000,
        pickle.dumps(Payload()),
    ]
    return repacked({name: rng.pick(bad)})


def bad_head(rng: Draw) -> bytes:
    """A config.json that is newer, nameless, or whose checksums are wrong or no checksums."""
    head = json.loads(members()[CONFIG])
    wrong_digests = dict.fromkeys(head["sha256"], "0" * 64)
    change = rng.pick(
        [
            {"format_version": rng.randint(2, 10**6)},
            {"format_version": 0},
            {"format_version": True},
            {"format_version": "1"},
            {"format_version": None},
            {"sha256": None},
            {"sha256": {}},
            {"sha256": wrong_digests},
            {"sha256": {**head["sha256"], WEIGHTS: ["x"]}},
            {"estimator": None},
            {"estimator": {"module": "os", "name": "system"}},
        ]
    )
    return repacked({CONFIG: json.dumps({**head, **change}).encode()})


def bomb(rng: Draw) -> bytes:
    """Few bytes that would become many: compressed members, or members that share the same bytes."""
    zeros = bytes(rng.choice([1 << 20, 8 << 20]))
    method = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    if rng.random() < 0.3:
        name = rng.choice(MEMBERS)
        return repacked({name: b'{"a":"' + b" " * (4 << 20) + b'"}'}, method)
    return repacked({rng.choice(MEMBERS[1:]): zeros}, method)


def shared_bytes(rng: Draw) -> bytes:
    """Two directory entries that point at one member, so that the sum of sizes exceeds the file."""
    raw = bytearray(repacked({WEIGHTS: rng.randbytes(50_000)}))
    rows = [at for at in range(len(raw) - 2000, len(raw)) if raw.startswith(b"PK\1\2", at)]
    source, target = rows[MEMBERS.index(WEIGHTS)], rows[MEMBERS.index("preprocess.safetensors")]
    for at, size in ((16, 12), (42, 4)):  # checksum and sizes, offset
        raw[target + at : target + at + size] = raw[source + at : source + at + size]
    return bytes(raw)


def long_directory(rng: Draw) -> bytes:
    """A directory with tens of thousands of entries, which cost far more memory than bytes."""
    at = places(b"PK\1\2")[0]
    entry = GOOD[at : at + 46 + len(CONFIG)]
    count = rng.randint(20_000, 60_000)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, count * len(entry), at, 0)
    return GOOD[:at] + entry * count + end


def foreign(rng: Draw) -> bytes:
    """Files of another kind under our name."""
    pickled = pickle.dumps({"state": Payload()}, protocol=rng.randint(0, 5))
    return rng.pick(
        [
            b"",
            pickled,
            packed([("archive/data.pkl", pickled), ("archive/version", b"3\n")]),
            packed([("readme.txt", b"hello")]),
            packed([]),
            b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
            b"\n <html>",
            members()[WEIGHTS],
            b"\x89PNG\r\n\x1a\n" + rng.randbytes(200),
            b"\x1f\x8b" + rng.randbytes(200),
            b"PK\3\4",
            b"PK\5\6" + bytes(18),
            rng.randbytes(rng.randint(1, 3000)),
            b"age,label\n1,2\n",
            b"#!/bin/sh\ntouch " + str(MARKER).encode() + b"\n" + GOOD,
            GOOD + rng.randbytes(4000),
            bytes(3000),
        ]
    )


KINDS: tuple[Callable[[Draw], bytes], ...] = (
    truncated, flip, block, inserted, local_header, central_header, end_record, lying_array, broken_arrays,
    not_a_boolean, strange_member, special_member, lying_sizes, missing_member, exchanged_members, bad_json,
    bad_head, bomb, shared_bytes, long_directory, foreign,
)  # fmt: skip


def variants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """``count`` malformed files from ``seed``, every kind in turn; never the sound file itself."""
    rng = Draw(seed)
    for i in range(count):
        rng.turn = i // len(KINDS)
        kind = KINDS[i % len(KINDS)]
        raw = kind(rng)
        while raw == GOOD:
            raw = kind(rng)
        yield kind.__name__, raw
