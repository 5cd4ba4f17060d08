"""MIDI files, read back by a parser that knows the format only."""

import struct

import numpy as np
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.midi import read_midi, write_midi
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


@pytest.mark.parametrize(("voices", "steps", "quarter"), [(1, 1, 4), (4, 300, 4), (15, 40, 8), (3, 500, 1)])
def test_what_was_written_is_read(voices, steps, quarter, tmp_path):
    piece = read_piece(held(2, voices, steps), silence=[-1])
    piece[0] = 60  # a voice without any note would not be there
    write_midi(tmp_path / "a.mid", piece, steps_a_quarter=quarter)
    assert (read_midi(tmp_path / "a.mid", steps_a_quarter=quarter) == piece).all()


def midi(track, *, form=0, ticks=4):
    return struct.pack(">4sIHHH4sI", b"MThd", 6, form, 1, ticks, b"MTrk", len(track)) + bytes(track)


def test_the_forms_that_other_programs_write(tmp_path):
    path = tmp_path / "a.mid"
    on, off, sustain, bend = 0x92, 0x82, 0xB2, 0xE2
    track = [
        *(0, 0xF0, 2, 1, 0xF7),  # for one machine only
        *(0, 0xFF, 1, 1, 65),  # a text
        *(0, 0xC2, 5, 0, 0xD2, 9, 0, sustain, 64, 127, 0, bend, 0, 64),
        *(0, on, 60, 80, 0, 64, 80),  # two at once, the second without its kind: the higher is read
        *(2, 60, 0, 0, 64, 0),  # no loudness ends them
        *(1, on, 67, 9, 0, 0x99, 40, 9),  # drums are left out
        *(0x81, 0x00, off, 67, 0),  # 128 ticks later
        *(0, 0xFF, 0x2F, 0),
    ]
    path.write_bytes(midi(track))
    piece = read_midi(path, steps_a_quarter=4)
    assert piece.shape == (131, 1)
    assert piece[:, 0].tolist() == [64, 64, -1] + [67] * 128
    assert read_midi(path, steps_a_quarter=2)[:3, 0].tolist() == [64, -1, 67]


def test_what_is_no_midi_file(tmp_path):
    path = tmp_path / "a.mid"
    good = midi([0, 0x90, 60, 80, 4, 0x80, 60, 0, 0, 0xFF, 0x2F, 0])
    path.write_bytes(good)
    assert read_midi(path).tolist() == [[60]] * 4
    broken = [b"", b"RIFF" + good[4:], good[:25], midi([0, 60, 80]), midi([0, 0x90, 60], ticks=0x8001)]
    for content in [*broken, midi([0, 0x90, 60, 80], form=2)]:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"standard MIDI file is expected, but 'a.mid' is none or broken"):
            read_midi(path)
    path.write_bytes(midi([4, 0xFF, 0x2F, 0]))
    with pytest.raises(DataError, match="has none besides drums"):
        read_midi(path)
    path.write_bytes(midi([0, 0x90, 60, 80, 0xFF, 0xFF, 0xFF, 0x7F, 0x80, 60, 0]))
    with pytest.raises(DataError, match="steps are expected"):
        read_midi(path)
    with pytest.raises(ParameterError, match="read_midi's"):
        read_midi(path, steps_a_quarter=0)


@pytest.mark.parametrize("seed", range(30))
def test_any_bytes_are_a_piece_or_refused(seed, tmp_path):
    path, rng = tmp_path / "a.mid", np.random.default_rng(seed)
    path.write_bytes(midi(rng.integers(0, 256, 60).tolist()))
    try:
        piece = read_midi(path)
    except DataError:
        return
    assert piece.ndim == 2
