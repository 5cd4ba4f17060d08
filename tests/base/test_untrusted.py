"""JSON and arrays from a stranger: equal to what the libraries read, and bounded before they are read."""

import json
import resource
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as safetensors_load

from ganglion.base import untrusted
from ganglion.base.errors import ModelFileError


@pytest.mark.parametrize("name", sorted(untrusted.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_every_dtype_and_shape_equals_the_library(name: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).integers(0, 2, (2, *shape)).astype(untrusted.DTYPES[name])
    raw = untrusted.dump_arrays({"a": values[0], "b": values[1].T}, "test")
    ours, theirs = untrusted.load_arrays(bytearray(raw), "test"), safetensors_load(raw)
    for key in ("a", "b"):
        np.testing.assert_array_equal(ours[key], theirs[key], strict=True)
        assert ours[key].flags.writeable
        assert ours[key].flags.aligned


def test_strided_and_big_endian_arrays_keep_their_values() -> None:
    arrays = {"strided": np.arange(12.0).reshape(3, 4)[::-1, ::2], "big": np.arange(3, dtype=">f4")}
    found = untrusted.load_arrays(bytearray(untrusted.dump_arrays(arrays, "test")), "test")
    assert all(np.array_equal(found[name], value) for name, value in arrays.items())


def test_special_numbers_and_numpy_scalars_are_plain_values() -> None:
    value = {
        "a": [np.float32(0.5), float("-inf")],
        "b": {"n": np.int64(3), "yes": np.bool_(True)},
        "c": (1, None),
    }
    back = untrusted.load_json(untrusted.dump_json(value, "card"), "card")
    assert back == {"a": [0.5, float("-inf")], "b": {"n": 3, "yes": True}, "c": [1, None]}
    assert np.isnan(untrusted.load_json(untrusted.dump_json({"x": float("nan")}, "card"), "card")["x"])


def test_the_widest_json_stays_bounded() -> None:
    """What is over the limit costs nothing; what is just under it stays within a known bound."""
    wide = b'{"a":[' + b'{"b":1},' * 900_000 + b"1]}"
    for raw in (wide + b'"' * 2_000_000, b" " * (untrusted.MAX_JSON_BYTES + 1)):
        tracemalloc.start()
        with pytest.raises(ModelFileError, match="longer than any"):
            untrusted.load_json(raw, "card")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    untrusted.load_json(wide, "card")
    assert time.perf_counter() - start < 5.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 << 10  # kilobytes


def safetensors(header: dict[str, Any], data: bytes) -> bytearray:
    text = json.dumps(header).encode()
    return bytearray(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        ({"w": {"dtype": "F32", "shape": [0, 1 << 61, 1 << 61], "data_offsets": [0, 0]}}, 0),
        ({"w": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, 1),
        ({"w": {"dtype": "U8", "shape": [1], "data_offsets": [False, 1]}}, 1),
        ({"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 2]}}, 2),
        ({"w": {"dtype": "U8", "shape": [2], "data_offsets": [0, 1]}}, 2),
        ({"w": {"dtype": "U8", "shape": [1.0], "data_offsets": [0, 1]}}, 1),
        ({"__metadata__": {"format": "pt"}}, 0),
    ],
)
def test_headers_that_nearly_fit_are_refused(header: dict[str, Any], length: int) -> None:
    with pytest.raises(ModelFileError):
        untrusted.load_arrays(safetensors(header, bytes(length)), "test")


def test_views_are_aligned_and_writable_wherever_they_lie() -> None:
    row = {"dtype": "F64", "shape": [2]}
    for padding in range(8):
        header = {"b": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}
        header["a" * (padding + 1)] = {**row, "data_offsets": [1, 17]}
        array = untrusted.load_arrays(safetensors(header, bytes(17)), "test")["a" * (padding + 1)]
        assert array.flags.aligned
        assert array.flags.writeable
