"""An Arrow array of any type as one of the four plain kinds of column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ganglion.base.errors import DataError

TEXT = pa.large_string()


def from_arrow(array: pa.Array, name: str) -> Any:
    """One Arrow column as float64 with NaN, bool, datetime64[us] with NaT, or large_string.

    Args:
        array: (n,) Arrow array; dictionaries are decoded, zones go to UTC, durations to seconds.
        name: the column's name, for the message.

    Raises:
        DataError: lists, structs or bytes that are not text.

    Example:
        >>> from_arrow(pa.array([1, None]), "age").tolist()
        [1.0, nan]
    """
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        array, kind = array.storage, array.storage.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_nested(kind):
        raise DataError(
            f"column {name!r} holds nested values ({_short(kind)}), but one number, word or date per cell is "
            "expected: spread it over columns of its own, or leave it out."
        )
    if pa.types.is_boolean(kind):
        return _booleans(array)
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(array)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        plain = pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else pa.timestamp("us")
        moments = array.cast(plain, safe=False).cast(pa.timestamp("us"))
        return moments.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    if pa.types.is_duration(kind):
        return _numbers(array.cast(pa.duration("us"), safe=False).cast(pa.int64())) / 1e6
    if pa.types.is_time(kind):
        return _numbers(array.cast(pa.time64("us"), safe=False).cast(pa.int64())) / 1e6
    return _text(array, name)


def _booleans(array: pa.Array) -> Any:
    if not array.null_count:
        return array.to_numpy(zero_copy_only=False)
    true, false = pa.scalar("True", TEXT), pa.scalar("False", TEXT)
    return pc.if_else(array, true, false)


def _numbers(array: pa.Array) -> np.ndarray:
    values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values if values.flags.writeable else values.copy()


def _text(array: pa.Array, name: str) -> pa.Array:
    try:
        if pa.types.is_fixed_size_binary(array.type):
            array = array.cast(pa.binary())
        return array.cast(TEXT)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"column {name!r} holds {_short(array.type)} values that are not text, but numbers, words "
            "or dates are expected: convert the column, or leave it out."
        ) from None


def _short(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) <= 40 else text[:37] + "..."
