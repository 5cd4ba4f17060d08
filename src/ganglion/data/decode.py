"""One picture file into pixels, or one sentence that names the file; nothing in a file is ever executed.

Pillow decodes, with only the formats below: their code is imported here, so no other is tried (PostScript would
start a program). The size is judged from the header, before memory is taken for the pixels.
"""

import errno
import os
import re
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from ganglion.base.errors import MOST_LETTERS, DataError

# format -> its file endings and the module that reads it
READ = {
    "PNG": ((".png",), PngImagePlugin),
    "JPEG": ((".jpg", ".jpeg", ".jpe", ".jfif"), JpegImagePlugin),
    "GIF": ((".gif",), GifImagePlugin),
    "BMP": ((".bmp", ".dib"), BmpImagePlugin),
    "TIFF": ((".tif", ".tiff"), TiffImagePlugin),
    "WEBP": ((".webp",), WebPImagePlugin),
    "PPM": ((".ppm", ".pgm", ".pbm", ".pnm"), PpmImagePlugin),
}
FORMATS = tuple(READ)
ENDINGS = frozenset(ending for endings, _ in READ.values() for ending in endings)
MAX_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB, the size from which Pillow warns
MAX_BYTES = 1 << 30  # of a file; no picture of so few pixels needs more

ORIENTATION = 0x0112  # the EXIF tag, and what turns a picture upright (CIPA DC-008)
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class Header(NamedTuple):
    """What a file says about its picture before it is decoded: height and width upright, grey or colour."""

    height: int
    width: int
    grey: bool


def peek(path: str | os.PathLike[str]) -> Header:
    """The header of a picture file; the pixels are not decoded.

    Raises ``DataError`` naming the file: missing, a folder, not readable, empty, too large, no picture.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (4, 3)).save(f"{folder}/a.png")
    ...     peek(f"{folder}/a.png")
    Header(height=3, width=4, grey=True)
    """
    with _opened(path) as image:
        width, height = image.size
        # a TIFF gives its upright size by itself, and asking a PNG without the tag would decode it
        turns = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        if turns and _orientation(image) >= 5:
            width, height = height, width
        return Header(height, width, image.mode in GREY or _grey_palette(image))


def decode(path: str | os.PathLike[str], channels: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of a picture file: uint8 (h, w, channels), upright, of an animation the first frame.

    Arguments:
        path: of the file.
        channels: 1 grey, 3 colour (both on white, where the picture is transparent), 4 with alpha.
        size: (h, w) to resize to, each pixel the weighted mean of the area it covers; ``None`` keeps the own.

    Raises ``DataError`` naming the file, as ``peek`` does and where the body is broken.
    """
    with _opened(path) as image:
        turned = image.format == "JPEG" and _orientation(image) >= 5
        if size is not None:
            # a JPEG comes at 1/2, 1/4 or 1/8 straight from its cosines, if that is still twice the size asked for
            image.draft(None, (2 * size[0], 2 * size[1]) if turned else (2 * size[1], 2 * size[0]))
        image.load()
        method = UPRIGHT.get(_orientation(image))
        plain = _in_mode(image, channels, path)
        plain = plain if method is None else plain.transpose(method)
        if size is not None and plain.size != size[::-1]:
            plain = plain.resize(size[::-1], Image.Resampling.BILINEAR)
        pixels = np.asarray(plain)
        return pixels if pixels.ndim == 3 else pixels[:, :, None]


def decode_codes(path: str | os.PathLike[str]) -> np.ndarray:
    """The stored numbers of a one-channel picture, (h, w): palette indices, grey values or 0 and 1.

    Raises ``DataError`` naming the file, also for colour and for JPEG.
    """
    with _opened(path) as image:
        image.load()
        if image.format == "JPEG" or image.mode not in {"1", "L", "P", "I", "I;16", "I;16B", "I;16L"}:
            raise DataError(
                f"a mask is expected to hold one number per pixel, but {shown(path)} is a {image.format} of mode "
                f"{image.mode}: save it as PNG with a palette or in grey (JPEG changes numbers)."
            )
        method = UPRIGHT.get(_orientation(image))
        return np.array(image if method is None else image.transpose(method))


def shown(path: str | os.PathLike[str]) -> str:
    """A path in a message: quoted, of a long one its end."""
    text = os.fspath(path)
    return repr(text if len(text) <= MOST_LETTERS else "..." + text[-MOST_LETTERS:])


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about odd files are not told while this is open, whichever thread they come from.

    ``warnings.catch_warnings`` would be undone in the wrong order by threads; a filter that names Pillow's modules is
    put in and taken out by itself.
    """
    rule = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
    warnings.filters.insert(0, rule)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if rule in warnings.filters:  # else somebody restored older filters meanwhile
            warnings.filters.remove(rule)  # type: ignore[attr-defined]


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """The picture behind a path, header read and judged; whatever goes wrong until it is closed names the file."""
    try:
        _check_file(path)
        with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
            _check_size(image, path)
            yield image
    except DataError:
        raise
    except (
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):  # a warning where warnings are errors
        raise DataError(_too_many_pixels(path)) from None
    except UnidentifiedImageError:
        raise DataError(
            f"a picture ({', '.join(FORMATS)}) is expected, but {shown(path)} is none or has a broken beginning: "
            "leave it out or save it again."
        ) from None
    except Exception as error:  # a decoder on a stranger's bytes may raise anything
        if isinstance(error, OSError) and error.errno is not None:
            raise DataError(_unreachable(path, error)) from None
        raise DataError(
            f"a whole picture is expected, but {shown(path)} is broken or cut off ({_said(error)}): "
            "leave it out or save it again."
        ) from None


def _check_file(path: str | os.PathLike[str]) -> None:
    if "\0" in os.fspath(path):
        raise DataError(f"a file path is expected, got {shown(path)} with a NUL character: check the path.")
    facts = os.stat(path)
    if stat.S_ISDIR(facts.st_mode):
        raise DataError(
            f"a picture file is expected, but {shown(path)} is a folder: give its files (read_folder lists them)."
        )
    if not stat.S_ISREG(facts.st_mode):
        raise DataError(f"a picture file is expected, but {shown(path)} is a device or a pipe: give a file.")
    if facts.st_size == 0:
        raise DataError(f"a picture is expected, but {shown(path)} is empty (0 bytes): leave it out.")
    if facts.st_size > MAX_BYTES:
        raise DataError(
            f"a picture of at most {MAX_BYTES:,} bytes is expected, but {shown(path)} has {facts.st_size:,}: "
            "leave it out or make it smaller."
        )


def _check_size(image: Image.Image, path: str | os.PathLike[str]) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise DataError(
            f"a picture with pixels is expected, but {shown(path)} is {height} x {width}: leave it out."
        )
    if width * height > MAX_PIXELS:
        raise DataError(_too_many_pixels(path, f"{height:,} x {width:,} = {height * width:,}"))


def _too_many_pixels(path: str | os.PathLike[str], got: str = "more than twice as many") -> str:
    return (
        f"at most {MAX_PIXELS:,} pixels are expected, but {shown(path)} announces {got}: "
        "make the picture smaller, or leave it out if you do not know where it comes from."
    )


def _unreachable(path: str | os.PathLike[str], error: OSError) -> str:
    """The sentence for a file that the system does not give."""
    why, do = {
        errno.ENOENT: ("does not exist", "check the path and the folder it starts from"),
        errno.ENOTDIR: ("does not exist", "check the path and the folder it starts from"),
        errno.EACCES: ("may not be read", "ask for permission or leave it out"),
        errno.EPERM: ("may not be read", "ask for permission or leave it out"),
        errno.ELOOP: ("is a link that leads to itself", "mend the link or leave it out"),
    }.get(error.errno or 0, (f"cannot be opened ({_said(error)})", "check the path"))
    return f"a picture file is expected, but {shown(path)} {why}: {do}."


def _said(error: BaseException) -> str:
    """What a library said, as a part of a sentence."""
    text = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".").replace(". ", "; ")[:100]


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken camera notes do not spoil the picture
        return 1


def _grey_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None or image.palette.mode != "RGB":
        return False
    colours = np.frombuffer(image.palette.tobytes(), np.uint8)
    colours = colours[: len(colours) // 3 * 3].reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _in_mode(image: Image.Image, channels: int, path: Any) -> Image.Image:
    """The picture as 8-bit grey, RGB or RGBA; what is transparent lies on white."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _in_8_bits(image, path)
    if image.has_transparency_data and channels != 4:
        see_through = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(see_through, mask=see_through.getchannel("A"))
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def _in_8_bits(image: Image.Image, path: Any) -> Image.Image:
    """A grey picture of 16 bits (0..65535) in 8 bits."""
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise DataError(
            f"a picture of 8 or 16 bits is expected, but {shown(path)} holds numbers of 32 bits: "
            "read it yourself and give an array."
        )
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
