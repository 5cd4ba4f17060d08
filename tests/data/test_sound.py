"""Recordings in every form, resampled tones as the formula has them, and sentences for the rest."""

import os
import sys
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.sound import read_sounds, resampled


def tone(hertz, rate, seconds=0.25):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def stored(path, samples, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setparams((samples.shape[1] if samples.ndim == 2 else 1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


@pytest.mark.parametrize(
    "one",
    [np.array([-(2**15), 0, 2**14], np.int16), np.array([-1, 0, 0.5]), [-1.0, 0.0, 0.5],
     np.array([0, 128, 192], np.uint8), np.array([-(2**31), 0, 2**30], np.int32), np.array([-1, 0, 0.5], np.float16),
     np.array([-128, 0, 64], np.int8), np.array([[-1, -1], [0.5, -0.5], [0, 1]]),
     np.array([[-(2**15)] * 2, [9, -9], [0, 2**15 - 1]], np.int16)],
)  # fmt: skip
def test_every_form_means_the_same(one):
    waves, rate = read_sounds([one], rate=8000)
    assert rate == 8000
    assert waves[0].dtype == np.float32
    assert waves[0].tolist() == pytest.approx([-1, 0, 0.5], abs=2e-5)


def test_an_array_of_recordings():
    X = np.random.default_rng(0).integers(-(2**15), 2**15, (3, 50)).astype(np.int16)
    waves, _ = read_sounds(X, 8000)
    assert (np.stack(waves) == X / np.float32(2**15)).all()


def test_files(tmp_path):
    X = np.random.default_rng(0).integers(-(2**15), 2**15, (60, 2)).astype(np.int16)
    paths = [stored(tmp_path / "mono.wav", X[:, 0]), str(stored(tmp_path / "stereo.wav", X))]
    waves, rate = read_sounds(paths)
    assert rate == 8000
    np.testing.assert_array_equal(waves[0], X[:, 0] / np.float32(2**15))
    np.testing.assert_allclose(waves[1], X.mean(1) / 2**15, atol=1e-7)
    for make in (
        np.array,
        tuple,
        pd.Series,
        lambda many: np.array(many, str),
        lambda many: pd.Series(many, dtype=str),
    ):
        halved, rate = read_sounds(make([str(path) for path in paths]), 4000)
        assert ([len(one) for one in halved], rate) == ([30, 30], 4000)


@pytest.mark.parametrize(("old", "new"), [(8000, 16000), (44100, 16000), (16000, 8000), (11025, 8000)])
def test_a_tone_stays_that_tone(old, new):
    made = resampled(tone(440, old).astype(np.float32), old, new)
    expected = tone(440, new)
    assert len(made) == -(-int(0.25 * old) * new // old)
    inner = slice(new // 50, -new // 50)
    np.testing.assert_allclose(made[: len(expected)][inner], expected[: len(made)][inner], atol=2e-3)


def test_what_no_new_rate_can_hold_is_taken_out():
    made = resampled(tone(3000, 8000).astype(np.float32), 8000, 4000)
    assert np.abs(made[100:-100]).max() < 1e-2  # without a filter it would come back as 1,000 Hz


def test_files_of_mixed_rates_become_one(tmp_path):
    paths = [stored(tmp_path / f"{rate}.wav", 20000 * tone(440, rate), rate) for rate in (8000, 16000)]
    waves, rate = read_sounds(paths)
    assert (rate, [len(one) for one in waves]) == (8000, [2000, 2000])
    np.testing.assert_allclose(waves[0][100:-100], waves[1][100:-100], atol=2e-3)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ("a.wav", r"got str; give \[X\]"),
        (Path("a.wav"), "got PosixPath"),
        (3, "got int"),
        ({"a": [1.0]}, "got dict"),
        ([], "got none"),
        (np.zeros(5), "got 1 dimensions"),
        ([0.5, 0.1], "got 1 dimensions"),
        (np.zeros((2, 3, 4)), "got 3 dimensions"),
        ([[0.1], "a.wav"], "some of both"),
        ([[0.1], []], "recording 1 .* has none"),
        ([[0.1], [np.nan]], "recording 1 .* has others"),
        ([[0.1], [np.inf]], "recording 1 .* has others"),
        ([[0.1], [1e300]], "recording 1 .* has others"),
        ([[0.1], [32767.0]], "recording 1 .* reaches 3.277e"),
        ([[1, 20000]], "recording 0 .* reaches 2e"),
        ([np.array([1, 2])], "type int64"),
        ([np.array([1, 2], np.uint16)], "type uint16"),
        ([np.array([True])], "type bool"),
        ([np.array([1j])], "type complex128"),
        ([[[0.1], [0.1, 0.2]]], "type object"),
        ([None], "type object"),
        ([np.zeros((2, 100))], "turn it round"),
        ([np.zeros((1, 1, 1))], r"shape \(1, 1, 1\)"),
        ([np.zeros((4, 0))], "has none"),
    ],
)
def test_one_sentence_for_anything_else(X, words):
    with pytest.raises(DataError, match=words) as error:
        read_sounds(X, 8000)
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "silent.wav").write_bytes(stored(tmp_path / "a.wav", np.zeros(0)).read_bytes())
    stored(tmp_path / "odd.wav", np.zeros(3), rate=7)
    os.mkfifo(tmp_path / "pipe.wav")
    for name, words in [
        ("none.wav", "No such file"), ("empty.wav", "of 0 bytes"), ("text.wav", "pip install soundfile"),
        (".", "is no file"), ("silent.wav", "has none"), ("odd.wav", "rate of 'odd.wav'.*got 7"), ("a\0.wav", "null"),
        ("pipe.wav", "is no file"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=words) as error:
            read_sounds([f"{tmp_path}/{name}"])
        assert "\n" not in str(error.value)


def test_rates_that_no_recording_has():
    for rate in (0, -1, 8000.0, True, 10**9, "8000"):
        with pytest.raises(ParameterError, match="samples a second"):
            read_sounds([[0.1]], rate)
    with pytest.raises(DataError, match="rate of arrays"):
        read_sounds([[0.1]])


def test_other_kinds_by_soundfile(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    x = tone(440, 8000)
    soundfile.write(tmp_path / "a.flac", np.stack([x, x / 2], 1), 8000)
    waves, rate = read_sounds([tmp_path / "a.flac"])
    assert rate == 8000
    np.testing.assert_allclose(waves[0], 0.75 * x, atol=1e-4)
    (tmp_path / "bad.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:50])
    with pytest.raises(DataError, match=r"'bad.flac'"):
        read_sounds([tmp_path / "bad.flac"])
