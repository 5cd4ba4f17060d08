"""MIDI files, read back by a parser that knows the format only."""

import struct

import numpy as np
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.midi import write_midi
from ganglion.data.music import read_piece


def quantity(data, at):
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def parsed(data):
    """Format, ticks a quarter, and of each track: (tick, kind, channel, bytes) of its events."""
    name, length, form, count, ticks = struct.unpack(">4sIHHH", data[:14])
    assert (name, length) == (b"MThd", 6)
    tracks, at = [], 14
    for _ in range(count):
        name, length = struct.unpack(">4sI", data[at : at + 8])
        assert name == b"MTrk"
        body, at = data[at + 8 : at + 8 + length], at + 8 + length
        assert len(body) == length
        events, place, now = [], 0, 0
        while place < len(body):
            step, place = quantity(body, place)
            now += step
            status = body[place]
            if status == 0xFF:
                size, start = quantity(body, place + 2)
                events.append((now, body[place + 1], None, body[start : start + size]))
                place = start + size
            else:
                size = 1 if status >> 4 in (0xC, 0xD) else 2
                events.append((now, status >> 4, status & 15, body[place + 1 : place + 1 + size]))
                place += 1 + size
        assert events[-1][1] == 0x2F
        assert sum(event[1] == 0x2F for event in events) == 1
        tracks.append(events)
    assert at == len(data)
    return form, ticks, tracks


def sung(track, ticks_a_step, steps):
    """The voice (T,) that a track plays."""
    voice, since = np.full(steps, -1), {}
    for tick, kind, _, data in track:
        if kind == 9:
            assert not since, "one note at a time"
            since[data[0]] = tick
        elif kind == 8:
            voice[since.pop(data[0]) // ticks_a_step : tick // ticks_a_step] = data[0]
    assert not since
    return voice


def held(seed, voices, steps):
    rng = np.random.default_rng(seed)
    notes = np.where(rng.random((steps, voices)) < 0.2, -1, rng.integers(0, 128, (steps, voices)))
    return np.stack([np.repeat(notes[:, v], rng.integers(1, 9, steps))[:steps] for v in range(voices)], 1)


@pytest.mark.parametrize(("voices", "steps", "quarter"), [(1, 1, 4), (4, 300, 4), (15, 40, 8), (3, 5000, 1)])
def test_voices_come_back(voices, steps, quarter, tmp_path):
    piece = read_piece(held(0, voices, steps), silence=[-1])
    write_midi(tmp_path / "a.mid", piece, steps_a_quarter=quarter)
    form, ticks, tracks = parsed((tmp_path / "a.mid").read_bytes())
    assert (form, ticks, len(tracks)) == (1, 480, voices + 1)
    for v, track in enumerate(tracks[1:]):
        assert (sung(track, 480 // quarter, steps) == piece[:, v]).all()
        assert track[-1][0] == steps * 480 // quarter  # silence at the end counts
        channels = {event[2] for event in track} - {None}
        assert channels == {v + (v >= 9)}
    assert len({event[2] for track in tracks for event in track} - {None, 9}) == voices


def test_tempo_names_and_sound(tmp_path):
    write_midi(tmp_path / "a.mid", read_piece([60]), tempo=120, instrument=19)
    _, _, (conductor, voice) = parsed((tmp_path / "a.mid").read_bytes())
    assert conductor[0] == (0, 0x51, None, (500_000).to_bytes(3, "big"))
    assert voice[0] == (0, 3, None, b"voice 0")
    assert voice[1] == (0, 0xC, 0, bytes([19]))


def test_a_rest_is_no_note_and_a_held_one_begins_once(tmp_path):
    write_midi(tmp_path / "a.mid", read_piece([60, 60, -1, 60, 62]))
    _, _, (_, voice) = parsed((tmp_path / "a.mid").read_bytes())
    notes = [
        (tick, kind, data[0]) for tick, kind, channel, data in voice if kind in (8, 9) and channel is not None
    ]
    assert notes == [(0, 9, 60), (240, 8, 60), (360, 9, 60), (480, 8, 60), (480, 9, 62), (600, 8, 62)]


def test_as_mido_reads_it(tmp_path):
    mido = pytest.importorskip("mido")
    piece = read_piece(held(1, 4, 200), silence=[-1])
    write_midi(tmp_path / "a.mid", piece, tempo=100)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, 480, 5)
    assert file.length == pytest.approx(200 / 4 * 60 / 100)
    starts = sum(message.type == "note_on" and message.velocity > 0 for message in file)
    assert starts == sum((np.diff(v, prepend=-2) != 0)[v >= 0].sum() for v in piece.T)


def test_wrong_requests(tmp_path):
    path = tmp_path / "a.mid"
    for options in ({"tempo": 0}, {"tempo": float("nan")}, {"steps_a_quarter": 0}, {"instrument": 128}):
        with pytest.raises(ParameterError, match="write_midi's"):
            write_midi(path, read_piece([60]), **options)
    with pytest.raises(DataError, match="is 200"):
        write_midi(path, [[200]])
    assert not path.exists()
