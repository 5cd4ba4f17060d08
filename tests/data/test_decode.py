"""Decoding: what each kind of file becomes, and that a broken one gets one sentence and nothing else."""

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.base.errors import DataError
from ganglion.data import decode as decoding
from ganglion.data.decode import FORMATS, MAX_PIXELS, ORIENTATION, UPRIGHT, decode, decode_codes, peek, quiet
from ganglion.data.images import read_images

RNG = np.random.default_rng(0)
SCENE = RNG.integers(0, 256, (16, 24, 3), dtype=np.uint8)  # height 16, width 24


def saved(folder: Path, image: Image.Image, name: str, **options) -> str:
    path = str(folder / name)
    image.save(path, **options)
    return path


def sentence(path: object) -> str:
    """What is said about a file, by its header or by its body."""
    with pytest.raises(DataError) as caught:
        peek(path)
        decode(path, 3)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert os.path.basename(str(path))[-50:] in text
    return text


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "A.PNG", "wrongly-a-png.jpg"])
def test_lossless_formats_are_exact(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, Image.fromarray(SCENE), name, format="PNG" if "png" in name.lower() else None)
    assert np.array_equal(decode(path, 3), SCENE)
    assert peek(path) == (16, 24, False)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_formats_are_near(tmp_path: Path, name: str) -> None:
    smooth = np.add.outer(np.arange(64.0), np.arange(48.0))[..., None].repeat(3, 2).astype(np.uint8)
    path = saved(tmp_path, Image.fromarray(smooth), name, quality=95)
    assert np.abs(decode(path, 3).astype(int) - smooth).max() <= 6


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (5, 4), value) for value in (10, 200, 90)]
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:], **options)
        assert (decode(path, 1) == 10).all(), name


@pytest.mark.parametrize(
    ("mode", "pixel", "grey", "rgb"),
    [
        ("1", 1, 255, (255, 255, 255)),
        ("L", 77, 77, (77, 77, 77)),
        ("LA", (100, 51), 224, (224, 224, 224)),  # 0.2 * 100 + 0.8 * 255
        ("RGB", (200, 100, 0), 118, (200, 100, 0)),  # 0.299 r + 0.587 g + 0.114 b
        ("RGBA", (200, 100, 0, 51), 228, (244, 224, 204)),
        ("RGBA", (200, 100, 0, 0), 255, (255, 255, 255)),
        ("I;16", 25700, 100, (100, 100, 100)),
        ("I;16", 65535, 255, (255, 255, 255)),
    ],
)
def test_modes(tmp_path: Path, mode: str, pixel: object, grey: int, rgb: tuple) -> None:
    path = saved(tmp_path, Image.new(mode, (3, 2), pixel), "a.png")
    assert peek(path) == (2, 3, mode in ("1", "L", "LA", "I;16"))
    assert abs(int(decode(path, 1)[0, 0, 0]) - grey) <= 1
    assert np.abs(decode(path, 3)[1, 2].astype(int) - rgb).max() <= 1
    four = decode(path, 4)[0, 0].tolist()
    assert four == (list(pixel) if mode == "RGBA" else four[:3] + [51 if mode == "LA" else 255])


def test_16_bits_are_rounded_to_8(tmp_path: Path) -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for name in ("a.png", "a.tif", "a.pgm"):
        path = saved(tmp_path, Image.fromarray(every), name)
        assert np.array_equal(decode(path, 1)[..., 0], np.rint(every / 257)), name


def test_palettes(tmp_path: Path) -> None:
    codes = np.array([[0, 1], [2, 2]], np.uint8)
    for colours, grey in [
        ([9, 9, 9, 80, 80, 80, 255, 255, 255], True),
        ([9, 0, 0, 0, 80, 0, 7, 7, 255], False),
    ]:
        image = (
            Image.fromarray(codes, "L").convert("P")
            if False
            else Image.frombytes("P", (2, 2), codes.tobytes())
        )
        image.putpalette(colours)
        path = saved(tmp_path, image, "a.png")
        assert peek(path).grey is grey
        assert np.array_equal(decode(path, 3), np.reshape(colours, (3, 3))[codes])
        assert np.array_equal(decode_codes(path), codes)
    path = saved(tmp_path, image, "b.png", transparency=0)
    assert decode(path, 3)[0, 0].tolist() == [255, 255, 255]
    path = saved(tmp_path, image, "c.png", transparency=bytes([0, 128, 255]))
    assert decode(path, 4)[..., 3].tolist() == [[0, 128], [255, 255]]


def test_print_colours(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "a.jpg", quality=100)
    red = decode(path, 3)[4, 4]
    assert red[0] > 200
    assert red[1:].max() < 60


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path: Path, name: str, orientation: int) -> None:
    """Second source: the eight cases as NumPy moves, from the standard's own table of row 0 and column 0."""
    moves = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: a[::-1, ::-1],
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90,
    }
    blocks = SCENE[::8, ::8].repeat(8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = (
        {"lossless": True}
        if name == "a.webp"
        else {"quality": 100, "subsampling": 0}
        if name == "a.jpg"
        else {}
    )
    path = saved(tmp_path, Image.fromarray(blocks), name, exif=exif, **options)
    upright = moves[orientation](blocks)
    assert peek(path)[:2] == upright.shape[:2]
    assert np.abs(decode(path, 3).astype(int) - upright).max() <= (9 if name == "a.jpg" else 0)
    assert decode(path, 3, (4, 10)).shape == (4, 10, 3)
    assert set(UPRIGHT) == set(moves) - {1}


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_decoded_small_is_the_small_picture(tmp_path: Path, orientation: int) -> None:
    y, x = np.mgrid[:480, :640] / 640
    waves = np.stack([np.sin(9 * x), np.cos(7 * y), np.sin(5 * x + 6 * y)], 2) * 110 + 128
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(tmp_path, Image.fromarray(waves.astype(np.uint8)), "a.jpg", quality=95, exif=exif)
    means = waves.reshape(48, 10, 64, 10, 3).mean((1, 3))  # each small pixel by hand: the mean of 10 x 10
    upright = np.rot90(means, -1) if orientation == 6 else means
    assert np.abs(decode(path, 3, upright.shape[:2]) - upright)[2:-2, 2:-2].mean() < 1.5


def test_wrong_names_and_other_formats(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("This is no picture. " * 50)
    (tmp_path / "page.png").write_text("<html><img src=x></html>")
    (tmp_path / "script.gif").write_bytes(b"#!/bin/sh\ntouch pwned\n")
    (tmp_path / "drawing.eps").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\nshowpage\n"
    )
    (tmp_path / "drawing.png").write_bytes((tmp_path / "drawing.eps").read_bytes())
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    Image.new("RGB", (4, 4)).save(tmp_path / "icon.ico")
    for name in (
        "text.jpg",
        "page.png",
        "script.gif",
        "drawing.eps",
        "drawing.png",
        "drawing.svg",
        "icon.ico",
    ):
        assert ", ".join(FORMATS) in sentence(tmp_path / name)
    assert not (tmp_path / "pwned").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "does not exist" in sentence(tmp_path / "none.png")
    (tmp_path / "empty.png").touch()
    assert "is empty (0 bytes)" in sentence(tmp_path / "empty.png")
    assert "is a folder" in sentence(tmp_path)
    assert "does not exist" in sentence(tmp_path / "empty.png" / "deeper.png")
    os.symlink(tmp_path / "loop.png", tmp_path / "loop.png")
    assert "leads to itself" in sentence(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert "device or a pipe" in sentence(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="NUL"):
        peek(str(tmp_path / "a\0b.png"))
    assert "cannot be opened" in sentence(tmp_path / ("long" * 100 + ".png"))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything"
)
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = Path(saved(tmp_path, Image.new("L", (2, 2)), "a.png"))
    path.chmod(0)
    assert "may not be read" in sentence(path)


def test_permission_is_named_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, Image.new("L", (2, 2)), "a.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(decoding.os, "stat", refuse)
    assert "may not be read" in sentence(path)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG with any announced size, written by hand."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height"), [(50_000, 50_000), (10_000, 10_000), (2**31 - 1, 1), (2**31 - 1,) * 2]
)
def test_bombs_are_judged_by_their_header(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png(width, height, bytes(10_000)))
    before = Image.MAX_IMAGE_PIXELS
    assert f"at most {MAX_PIXELS:,} pixels" in sentence(tmp_path / "bomb.png")
    assert before == Image.MAX_IMAGE_PIXELS


def test_bombs_in_other_formats(tmp_path: Path) -> None:
    (tmp_path / "a.ppm").write_bytes(b"P6 30000 30000 255\n")
    (tmp_path / "a.bmp").write_bytes(
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 30000, 30000, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    (tmp_path / "a.gif").write_bytes(FILES["GIF"][:6] + struct.pack("<HH", 60000, 60000) + FILES["GIF"][10:])
    for name in ("a.ppm", "a.bmp", "a.gif"):
        assert "pixels" in sentence(tmp_path / name)


def test_no_pixels_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(0, 5))
    (tmp_path / "b.gif").write_bytes(b"GIF89a" + struct.pack("<HHBBB", 0, 0, 0, 0, 0) + b";")
    sentence(tmp_path / "a.png"), sentence(tmp_path / "b.gif")


def test_numbers_of_32_bits_are_refused(tmp_path: Path) -> None:
    assert "32 bits" in sentence(saved(tmp_path, Image.new("F", (3, 3), 0.5), "a.tif"))
    assert "32 bits" in sentence(saved(tmp_path, Image.new("I", (3, 3), 70_000), "b.tif"))


def test_codes_refuse_colour(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.png' is a PNG of mode RGB"):
        decode_codes(saved(tmp_path, Image.fromarray(SCENE), "a.png"))


def small_files() -> dict[str, bytes]:
    """A small file of every format, with camera notes where there is room for them."""
    exif = Image.Exif()
    exif[ORIENTATION], exif[0x010F] = 6, "maker"
    files = {}
    for name in FORMATS:
        stream = io.BytesIO()
        image = Image.fromarray(SCENE)
        options = {"exif": exif} if name in ("PNG", "JPEG", "TIFF", "WEBP") else {}
        (image.quantize(16) if name == "GIF" else image).save(stream, name, **options)
        files[name] = stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray(SCENE).save(stream, "TIFF", compression="tiff_lzw", exif=exif)
    return files | {"TIFF-LZW": stream.getvalue()}


FILES = small_files()


def attempt(path: Path) -> bool:
    """Whether the file is still a picture; else it must be a clean sentence."""
    try:
        header = peek(path)
        pixels = decode(path, 3, (8, 8))
        decode(path, 1)
    except DataError as error:
        said = str(error)
    else:
        assert pixels.shape == (8, 8, 3)
        assert header.height * header.width <= MAX_PIXELS
        return True
    assert path.name in said
    assert "\n" not in said
    return False


@pytest.mark.parametrize("name", FILES)
def test_cut_files(tmp_path: Path, name: str) -> None:
    whole, path = FILES[name], tmp_path / "cut"
    ends = range(0, len(whole), max(1, len(whole) // 40))
    sound = 0
    with quiet():
        for end in ends:
            path.write_bytes(whole[:end])
            sound += attempt(path)
    assert sound <= 0.1 * len(ends), "a cut file passed as a picture"


@pytest.mark.parametrize("name", FILES)
def test_flipped_bytes(tmp_path: Path, name: str) -> None:
    rng, path = np.random.default_rng(len(name)), tmp_path / "flipped"
    with quiet():
        for _ in range(40):
            content = np.frombuffer(FILES[name], np.uint8).copy()
            places = rng.integers(
                0, min(len(content), rng.choice([32, 200, len(content)])), rng.integers(1, 6)
            )
            content[places] = rng.integers(0, 256, len(places))
            path.write_bytes(content.tobytes())
            attempt(path)


def test_broken_camera_notes_do_not_spoil_a_picture(tmp_path: Path) -> None:
    content = FILES["JPEG"]
    at = content.index(b"Exif\0\0")
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: at + 6] + b"\xff" * 8 + content[at + 14 :])
    assert read_images([str(path)]).size == (16, 24)


def test_warnings_do_not_leak_even_from_threads(tmp_path: Path) -> None:
    """A picture that Pillow warns about, since its size lies between the warning and the error, read by threads."""
    (tmp_path / "a.png").write_bytes(png(9_500, 9_500))
    told: list[str] = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(DataError, match="pixels"):
            read_images([str(tmp_path / "a.png")] * 200)
        thread = threading.Thread(target=lambda: told.append(attempt(tmp_path / "a.png")))
        with quiet():
            thread.start()
            thread.join()
    assert not seen
    assert told == [False]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.warns(Image.DecompressionBombWarning):  # without quiet, so there was something to hide
            attempt(tmp_path / "a.png")


def test_quiet_nests_and_leaves_other_warnings(tmp_path: Path) -> None:
    before = list(warnings.filters)
    with quiet(), quiet(), pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)
    assert warnings.filters == before
