"""WAV files: what the standard library and SciPy write is read back, and bad ones take no memory."""

import struct
import tracemalloc
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from ganglion.base.errors import DataError
from ganglion.data.wav import UnknownKindError, read_wav


def written(path, content, width, channels=1, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(content)
    return path


def read(path):
    return read_wav(path, path.stat().st_size)


def numbers(width, n):
    """Random samples of so many bytes, all extremes among them."""
    least = 0 if width == 1 else -(2 ** (8 * width - 1))
    x = np.random.default_rng(width).integers(least, least + 2 ** (8 * width), n)
    x[:4] = [least, least + 2 ** (8 * width) - 1, 0, 1]
    return x


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_the_standard_library_writes(width, channels, tmp_path):
    x = numbers(width, 30 * channels)
    content = b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in x)
    samples, rate = read(written(tmp_path / "a.wav", content, width, channels, 11025))
    assert rate == 11025
    assert (samples == x.reshape(-1, channels) * (256 if width == 3 else 1)).all()


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4", "u1"])
def test_what_scipy_writes(dtype, tmp_path):
    x = (np.random.default_rng(0).random((21, 2)) * 100).astype(dtype)
    wavfile.write(tmp_path / "a.wav", 44100, x)
    samples, rate = read(tmp_path / "a.wav")
    assert rate == 44100
    assert samples.dtype == dtype
    assert (samples == x).all()


def made(*chunks):
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def head(kind=1, channels=1, rate=8000, bits=16, more=b"", frame=None):
    frame = channels * bits // 8 if frame is None else frame
    return struct.pack("<HHIIHH", kind, channels, rate, rate * frame, frame, bits) + more


DATA = np.arange(10, dtype="<i2").tobytes()


@pytest.mark.parametrize(
    "content",
    [
        made((b"fmt ", head()), (b"data", DATA)),
        made(
            (b"LIST", b"odd"),
            (b"fmt ", head(more=b"\0\0")),
            (b"fact", b"1234"),
            (b"data", DATA),
            (b"junk", b"abc"),
        ),
        made((b"fmt ", head(0xFFFE, more=b"\x16\0\x10\0\4\0\0\0\1\0" + b"\0" * 14)), (b"data", DATA)),
        made((b"fmt ", head()), (b"data", DATA + b"\1")),  # half a sample too many
        made((b"fmt ", head(more=b"\0" * 100)), (b"data", DATA)),
    ],
    ids=["plain", "other chunks", "extensible", "half a sample", "long head"],
)
def test_chunks(content, tmp_path):
    (tmp_path / "a.wav").write_bytes(content)
    assert read(tmp_path / "a.wav")[0][:, 0].tolist() == list(range(10))


WHOLE = made((b"fmt ", head()), (b"data", DATA))
HUGE = WHOLE[:40] + struct.pack("<I", 2**32 - 2) + DATA


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HUGE, "2,147,483,647 samples are promised, 10 are there"),
        (WHOLE[:-5], "10 samples are promised, 7 are there"),
        (WHOLE[:38], "ends before its samples"),
        (WHOLE[:12], "ends before its samples"),
        (made((b"fmt ", head())), "ends before its samples"),
        (made((b"data", DATA), (b"fmt ", head())), "ends before"),
        (made((b"fmt ", b"abc"), (b"data", DATA)), "head is too short"),
        (made((b"fmt ", head(channels=0)), (b"data", DATA)), "0 channels"),
        (made((b"fmt ", head(channels=65535, frame=2)), (b"data", DATA)), "65535 channels"),
        (made((b"fmt ", head(frame=0)), (b"data", DATA)), "in 0 bytes"),
        (made(*[(b"junk", b"")] * 20_000), "no samples among"),
        (WHOLE[:16] + b"\xff\xff\xff\x7f" + WHOLE[20:], "ends before"),
    ],
)
def test_damaged_files_take_no_memory(content, words, tmp_path):
    (tmp_path / "bad.wav").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=words) as error:
        read(tmp_path / "bad.wav")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    assert "'bad.wav'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "form", [head(2, bits=4), head(7, bits=8), head(1, bits=12), head(0xFFFE, bits=16), head(3, bits=16)]
)
def test_other_kinds_are_named(form, tmp_path):
    (tmp_path / "a.wav").write_bytes(made((b"fmt ", form), (b"data", DATA)))
    with pytest.raises(UnknownKindError, match=r"'a.wav', got kind"):
        read(tmp_path / "a.wav")
