"""Pieces of several voices from and to standard MIDI files, which any player and notation program opens."""

import struct
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError
from ganglion.base.fields import Between
from ganglion.base.files import write_atomically
from ganglion.base.numbers import number
from ganglion.data.music import MOST_STEPS, SILENT, Piece, read_piece

DRUMS = 9  # the channel that is theirs
TICKS = 480  # of a quarter note
LOUDNESS, CHOIR = 80, 52


def write_midi(
    path: str | PathLike[str],
    piece: Piece,
    *,
    tempo: float = 90.0,
    steps_a_quarter: int = 4,
    instrument: int = CHOIR,
) -> None:
    """Write a piece (T, V) as a standard MIDI file of format 1: a track with the tempo, then one for each voice.

    As in the Standard MIDI Files 1.0 specification (MIDI Manufacturers Association 1996). The file is there as a whole
    or not at all.

    Arguments:
        path: the file, usually ``.mid``.
        piece: (T, V) as ``read_piece`` gives it.
        tempo: quarter notes a minute.
        steps_a_quarter: steps of the piece in one of them.
        instrument: the sound of all voices, 0 to 127; 52 is a choir, 0 a piano, 19 an organ.

    Raises ``ParameterError`` for numbers out of range, ``DataError`` for what is no piece.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_midi(Path(folder) / "c.mid", read_piece([[60, 64], [60, -1]]))
    ...     (Path(folder) / "c.mid").read_bytes()[:14].hex(" ")
    '4d 54 68 64 00 00 00 06 00 01 00 03 01 e0'
    """
    number("write_midi's tempo", tempo, Between(4, 1000))
    number("write_midi's steps_a_quarter", steps_a_quarter, Between(1, TICKS), whole=True)
    number("write_midi's instrument", instrument, Between(0, 127), whole=True)
    piece = read_piece(piece, silence=(SILENT,))
    conductor = [(0, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big"))]
    tracks = [conductor, *(_track(voice, v, steps_a_quarter, instrument) for v, voice in enumerate(piece.T))]
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS)
    write_atomically(Path(path), head + b"".join(map(_chunk, tracks)))


def _track(voice: NDArray[Any], v: int, steps_a_quarter: int, instrument: int) -> list[tuple[int, bytes]]:
    """The ticks and bytes of a voice's events."""
    channel = v + (v >= DRUMS)
    name = f"voice {v}".encode()
    events = [(0, bytes([0xFF, 3, len(name)]) + name), (0, bytes([0xC0 | channel, instrument]))]
    for start, end, note in _held(voice):
        first, last = (step * TICKS // steps_a_quarter for step in (start, end))
        events += [(first, bytes([0x90 | channel, note, LOUDNESS])), (last, bytes([0x80 | channel, note, 0]))]
    return [*events, (len(voice) * TICKS // steps_a_quarter, b"")]


def _held(voice: NDArray[Any]) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of each note of a voice (T,)."""
    starts = np.flatnonzero(np.diff(voice, prepend=SILENT - 1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(voice)]):
        if voice[start] != SILENT:
            yield start, end, int(voice[start])


def _chunk(events: list[tuple[int, bytes]]) -> bytes:
    """A track: each event behind the ticks since the one before, the end of the track at the last one's time."""
    body, now = bytearray(), 0
    for tick, event in events:
        body += _variable(tick - now) + (event or b"\xff\x2f\x00")
        now = tick
    if events[-1][1]:
        body += b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">I", len(body)) + bytes(body)


def _variable(ticks: int) -> bytes:
    """A number in groups of seven bits, all but the last of them marked."""
    groups = [ticks & 0x7F]
    while ticks := ticks >> 7:
        groups.append(ticks & 0x7F | 0x80)
    return bytes(reversed(groups))


def read_midi(path: str | PathLike[str], *, steps_a_quarter: int = 4) -> Piece:
    """Read a standard MIDI file as a piece (T, V): a voice for each track and channel with notes, in the file's order.

    Times are rounded to steps, and no note is shorter than one. A voice has one note at a time: of several the one that
    began last, of those the highest. Tempo, loudness and drums are left out.

    Arguments:
        path: the file.
        steps_a_quarter: steps of the piece in a quarter note.

    Raises ``ParameterError`` for numbers out of range, ``DataError`` for what is no such file or has no notes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_midi(Path(folder) / "c.mid", read_piece([[60, 64], [60, -1]]))
    ...     read_midi(Path(folder) / "c.mid").tolist()
    [[60, 64], [60, -1]]
    """
    number("read_midi's steps_a_quarter", steps_a_quarter, Between(1, TICKS), whole=True)
    try:
        ticks, tracks = _tracks(Path(path).read_bytes())
        read = [_notes(track) for track in tracks]
    except (IndexError, struct.error):
        raise DataError(
            f"a standard MIDI file is expected, but {Path(path).name!r} is none or broken; export it again."
        ) from None
    steps = [round(last * steps_a_quarter / ticks) for _, last in read]
    if max(steps, default=0) > MOST_STEPS:
        raise DataError(f"at most {MOST_STEPS:,} steps are expected, got {max(steps):,}; cut the piece.")
    voices = []
    for notes, last in read:
        for channel in sorted({channel for _, _, channel, _ in notes} - {DRUMS}):
            voice = np.full(max(steps), SILENT, np.int16)
            for start, end, own, note in sorted(notes, key=lambda found: (found[0], found[3])):
                if own == channel:
                    first, behind = (
                        round(tick * steps_a_quarter / ticks) for tick in (start, min(end, last))
                    )
                    voice[first : max(behind, first + 1)] = note
            voices.append(voice)
    if not voices or not max(steps):
        raise DataError(
            f"notes are expected, but {Path(path).name!r} has none besides drums; take another file."
        )
    return read_piece(np.stack(voices, 1), Path(path).name, silence=(SILENT,))


def _tracks(content: bytes) -> tuple[int, list[bytes]]:
    """The ticks of a quarter note and the tracks of a file; raises ``struct.error`` and ``IndexError``."""
    kind, size, form, _, ticks = struct.unpack_from(">4sIHHH", content)
    if (
        kind != b"MThd" or form > 1 or not 0 < ticks < 0x8000
    ):  # others have no quarter notes, or no common time
        raise IndexError
    at, found = 8 + size, []
    while at < len(content):
        kind, size = struct.unpack_from(">4sI", content, at)
        if kind == b"MTrk":
            found.append(content[at + 8 : at + 8 + size])
        at += 8 + size
    return ticks, found


def _notes(track: bytes) -> tuple[list[tuple[int, int, int, int]], int]:
    """Start, end, channel and number of a track's notes, and its last tick; raises ``IndexError``."""
    at = now = status = 0
    open_: dict[tuple[int, int], int] = {}
    found = []
    while at < len(track):
        wait, at = _number(track, at)
        now += wait
        if track[at] & 0x80:
            status, at = track[at], at + 1
        if status >= 0xF0:  # words about the piece, and what only some machines know
            size, at = _number(track, at + (status == 0xFF))
            at += size
        elif status & 0xE0 == 0x80:  # a note begins or, as also one of no loudness does, ends
            key = (status & 0x0F, track[at])
            if key in open_:
                found.append((open_.pop(key), now, *key))
            if status & 0x10 and track[at + 1]:
                open_[key] = now
            at += 2
        elif status:
            at += 1 if status & 0xE0 == 0xC0 else 2
        else:
            raise IndexError
    return [*found, *((start, now, *key) for key, start in open_.items())], now


def _number(track: bytes, at: int) -> tuple[int, int]:
    """What groups of seven bits say, and the place behind them."""
    value = track[at] & 0x7F
    while track[at] & 0x80:
        at += 1
        value = value << 7 | track[at] & 0x7F
    return value, at + 1
