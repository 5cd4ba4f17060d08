"""JSON and arrays as bytes, written plainly and read as if a stranger had made them.

Every size is compared with the bytes that are really there before memory is taken. The array form is
safetensors: a length, a JSON header, the raw numbers. Only the header is parsed; the numbers are viewed.
"""

import json
import math
from itertools import accumulate
from typing import Any

import numpy as np

from ganglion.base.errors import GanglionError, ModelFileError

MAX_JSON_BYTES = 32 << 20
MAX_JSON_MARKS = 4_000_000  # brackets, commas and quotes: an upper bound on the objects that parsing makes
MAX_DEPTH = 64
MAX_DIMENSIONS = 32  # the least that any supported numpy takes

# JSON has no word for these three, so they travel as {"$number": "nan"}.
NUMBER_KEY = "$number"
SPECIAL_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

DTYPES = {
    "BOOL": np.dtype(bool),
    **{f"U{8 * n}": np.dtype(f"<u{n}") for n in (1, 2, 4, 8)},
    **{f"I{8 * n}": np.dtype(f"<i{n}") for n in (1, 2, 4, 8)},
    **{f"F{8 * n}": np.dtype(f"<f{n}") for n in (2, 4, 8)},
}


def dump_json(value: dict[str, Any], where: str) -> bytes:
    """The bytes of a dictionary of plain values; ``where`` names it in a message.

    Numbers of numpy become Python's, tuples become lists, and ``nan`` and infinities are kept. Raises
    ``GanglionError`` for anything else, for keys that are not text, and beyond what ``load_json`` takes.

    >>> load_json(dump_json({"loss": float("inf")}, "card"), "card")
    {'loss': inf}
    """
    raw = json.dumps(_plain(value, where, 1), allow_nan=False, separators=(",", ":")).encode()
    if len(raw) > MAX_JSON_BYTES or _marks(raw) > MAX_JSON_MARKS:
        raise GanglionError(
            f"{where} takes {len(raw):,} bytes of JSON, more than a model file may hold "
            f"({MAX_JSON_BYTES:,} bytes, {MAX_JSON_MARKS:,} marks): put long lists among the arrays"
        )
    return raw


def load_json(raw: bytes | bytearray, what: str) -> dict[str, Any]:
    """The dictionary in ``raw``; ``what`` names it in a message.

    Raises ``ModelFileError`` when it is too long, too deep, not JSON, not a dictionary, names a key
    twice, or holds a number outside float64 that does not stand in the form ``dump_json`` gives it.
    """
    if len(raw) > MAX_JSON_BYTES or _marks(raw) > MAX_JSON_MARKS:
        raise ModelFileError(f"{what} is longer than any that Ganglion writes ({len(raw):,} bytes)")
    if _depth(raw) > MAX_DEPTH:
        raise ModelFileError(f"{what} is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what} is not sound JSON ({str(error)[:80]})") from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{what} holds a {type(value).__name__} where a dictionary belongs")
    return value


def dump_arrays(arrays: dict[str, Any], where: str) -> bytes:
    """The safetensors bytes of named arrays (torch tensors are taken too).

    Raises ``GanglionError`` for a dtype outside booleans, integers and float16, 32, 64.

    >>> load_arrays(bytearray(dump_arrays({"w": np.eye(2)}, "weights")), "weights")["w"].shape
    (2, 2)
    """
    from safetensors.numpy import save  # only needed to write

    ready = {}
    for name, value in arrays.items():
        array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if array.dtype.newbyteorder("<") not in DTYPES.values() or not isinstance(name, str):
            raise GanglionError(
                f"{where} holds {name!r} of {array.dtype}, which a model file cannot store: "
                f"use text names and one of {', '.join(DTYPES)}"
            )
        ready[name] = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return save(ready)


def load_arrays(raw: bytearray, what: str) -> dict[str, np.ndarray]:
    """The named arrays in safetensors bytes, as writable views of ``raw`` (no second copy).

    Raises ``ModelFileError`` when the header disagrees with itself or with the bytes that are there.
    """
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > len(raw) - 8:
        raise ModelFileError(f"{what} has a header that is longer than the whole")
    header = load_json(raw[8 : 8 + length], f"{what}, its header,")
    start = 8 + length
    arrays, position = {}, 0
    for name, row in sorted(header.items(), key=lambda item: _begin(item[1], what)):
        dtype, shape, begin, end = _header_row(row, f"{what}: the array {name[:40]!r}")
        if begin != position or end > len(raw) - start:
            raise ModelFileError(
                f"{what}: the array {name[:40]!r} overlaps, leaves a gap or ends outside the file"
            )
        arrays[name] = _view(raw, start + begin, dtype, shape, f"{what}: the array {name[:40]!r}")
        position = end
    if start + position != len(raw):
        raise ModelFileError(f"{what} has {len(raw) - start - position:,} bytes that no array claims")
    return arrays


def _plain(value: Any, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise GanglionError(f"{where[:80]}... is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {NUMBER_KEY: repr(value)}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, dict):
        wrong = [key for key in value if not isinstance(key, str) or key == NUMBER_KEY]
        if wrong:
            raise GanglionError(f"{where} has the key {wrong[0]!r}; keys in a model file are text: use str")
        return {key: _plain(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    raise GanglionError(
        f"{where} holds a {type(value).__name__}, which a model file cannot store: "
        "use numbers, text, lists and dictionaries, and give arrays as arrays"
    )


def _marks(raw: bytes | bytearray) -> int:
    return sum(raw.count(mark) for mark in (b"[", b"{", b",", b'"'))


def _depth(raw: bytes | bytearray) -> int:
    """How deep the brackets nest, counted without parsing (a parser would recurse first)."""
    without_escapes = bytes(raw).replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(without_escapes.split(b'"')[::2])
    brackets = outside_strings.translate(None, bytes(set(range(256)) - set(b"[]{}")))
    return max(accumulate(1 if mark in b"[{" else -1 for mark in brackets), default=0)


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice in one dictionary")
    if NUMBER_KEY not in values:
        return values
    number = values[NUMBER_KEY]
    if len(values) != 1 or not isinstance(number, str) or number not in SPECIAL_NUMBERS:
        raise ValueError("a special number is not one of nan, inf, -inf")
    return SPECIAL_NUMBERS[number]


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is outside the range of float64")
    return number


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _begin(row: Any, what: str) -> tuple[int, int]:
    """Where an array begins and ends, for sorting; an empty one sorts before its neighbour."""
    offsets = row.get("data_offsets") if isinstance(row, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise ModelFileError(f"{what} has an array without two offsets in its header")
    return offsets[0], offsets[1]


def _header_row(row: dict[str, Any], what: str) -> tuple[np.dtype, list[int], int, int]:
    """The checked dtype, shape, begin and end (in bytes) of one array."""
    begin, end = _begin(row, what)
    name, shape = row.get("dtype"), row.get("shape")
    if set(row) != {"dtype", "shape", "data_offsets"} or not isinstance(name, str) or name not in DTYPES:
        raise ModelFileError(f"{what} has a header entry or a dtype that Ganglion does not write")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise ModelFileError(f"{what} has a shape that is not a list of sizes")
    dtype = DTYPES[name]
    # Python's integers do not overflow; the second product bounds shapes such as (0, 2**61, 2**61).
    if math.prod(shape) * dtype.itemsize != end - begin or math.prod(n or 1 for n in shape) >= 1 << 48:
        raise ModelFileError(f"{what} has a shape that does not fit its {end - begin:,} bytes")
    return dtype, shape, begin, end


def _view(raw: bytearray, at: int, dtype: np.dtype, shape: list[int], what: str) -> np.ndarray:
    count = math.prod(shape)
    if count == 0:  # nothing to view, and frombuffer refuses an offset at the very end
        return np.zeros(shape, dtype)
    array = np.frombuffer(raw, dtype, count, at).reshape(shape)
    if dtype.kind == "b" and array.view(np.uint8).max() > 1:
        raise ModelFileError(f"{what} holds booleans that are neither 0 nor 1")
    return np.require(array, requirements=["ALIGNED", "WRITEABLE"])
