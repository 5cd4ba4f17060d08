"""Tables of every library become the same frame."""

import datetime as dt
import decimal
import time

import numpy as np
import pyarrow as pa
import pytest

from ganglion.base.errors import DataError
from ganglion.data.columns import CellTypeError, Frame, as_column, as_frame

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

COLUMNS = {
    "number": [1.5, None, 3.0],
    "whole": [1, 2, None],
    "word": ["a", None, "c"],
    "truth": [True, False, True],
    "day": [dt.datetime(2020, 1, 1), None, dt.datetime(2021, 5, 6)],
}


@pytest.mark.parametrize("make", [dict, pd.DataFrame, pl.DataFrame, pa.table], ids=lambda f: f.__module__)
def test_libraries_agree(make):
    frame = as_frame(make(COLUMNS))
    assert frame.names == list(COLUMNS)
    assert frame.named
    np.testing.assert_array_equal(frame.column("number"), [1.5, np.nan, 3.0])
    np.testing.assert_array_equal(frame.column("whole"), [1.0, 2.0, np.nan])
    assert frame.column("word").tolist() == ["a", None, "c"]
    assert frame.column("truth").tolist() == [True, False, True]
    days = frame.column("day")
    assert days.dtype == np.dtype("datetime64[us]")
    assert str(days[2])[:10] == "2021-05-06"
    assert np.isnat(days[1])


def test_pandas_types():
    table = pd.DataFrame(
        {
            "nullable": pd.array([1, None], dtype="Int64"),
            "category": pd.Categorical(["x", None]),
            "bytes": [b"x", b"y"],
            "truth": pd.array([True, None], dtype="boolean"),
            "mixed": pd.Series([1, "a"], dtype=object),
            "big": pd.Series([2**60, 10**30], dtype=object),
            "decimal": [decimal.Decimal("1.5"), None],
            "date": [dt.date(2020, 1, 1), None],
            "lone": pd.Series(["a\ud800", None], dtype=object),
            "zone": pd.to_datetime(["2020-01-01T02:00:00+02:00", None], utc=True),
            "wait": pd.to_timedelta(["1 day", None]),
        }
    )
    frame = as_frame(table)
    assert frame.column("category").tolist() == ["x", None]
    assert frame.column("bytes").tolist() == ["x", "y"]
    assert frame.column("truth").tolist() == ["True", None]
    assert frame.column("mixed").tolist() == ["1", "a"]
    assert frame.column("lone").tolist() == ["a?", None]
    np.testing.assert_array_equal(frame.column("nullable"), [1, np.nan])
    np.testing.assert_array_equal(frame.column("big"), [2.0**60, 1e30])
    np.testing.assert_array_equal(frame.column("decimal"), [1.5, np.nan])
    np.testing.assert_array_equal(frame.column("wait"), [86400.0, np.nan])
    assert str(frame.column("zone")[0]) == "2020-01-01T00:00:00.000000"
    assert str(frame.column("date")[0])[:10] == "2020-01-01"


def test_a_numeric_matrix_is_kept_as_it_is():
    X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    frame = as_frame(X)
    assert frame.matrix is X
    assert not frame.named
    assert frame.names == ["x0", "x1", "x2"]
    assert as_frame(X, names=["a", "b", "c"]).named
    whole = as_frame(pd.DataFrame(X, columns=list("abc")))
    assert whole.matrix is not None


@pytest.mark.alone
def test_a_large_matrix_costs_nothing():
    X = np.zeros((1000, 100_000), dtype=np.float32)
    start = time.perf_counter()
    as_frame(X)
    assert time.perf_counter() - start < 0.5


def test_rows_and_records():
    assert as_frame([[1, "a"], [None, "b"]]).column(1).tolist() == ["a", "b"]
    assert as_frame([{"a": 1}, {"b": "x"}]).column("b").tolist() == [None, "x"]
    assert as_frame(np.array([["1", 2.0]], dtype=object)).shape == (1, 2)
    assert as_frame(np.array([("x", 1)], dtype=[("a", "U1"), ("b", int)])).names == ["a", "b"]


BAD = {
    "one dimension": [1, 2],
    "ragged": [[1], [1, 2]],
    "nothing": None,
    "text": "x",
    "a number": 5,
    "three dimensions": np.zeros((2, 2, 2)),
    "complex": np.array([[1j]]),
    "struct": pd.DataFrame({"a": [{"x": 1}]}),
    "list cells": {"a": [[1], [2]]},
    "lengths": {"a": [1], "b": [1, 2]},
    "dict cell": np.array([[{"a": 1}, 1.0]], dtype=object),
    "object cell": np.array([[object(), 1.0]], dtype=object),
    "duplicates": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "duplicate after text": pd.DataFrame([[1, 2]], columns=["1", 1]),
    "lazy": pl.LazyFrame({"a": [1]}),
    "scalar column": {"a": "x"},
    "matrix column": {"a": np.zeros((2, 2))},
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence(what):
    with pytest.raises(DataError) as caught:
        as_frame(BAD[what])
    assert "\n" not in str(caught.value)
    assert 20 < len(str(caught.value)) < 300


def test_foreign_cells_are_a_type_error_too():
    with pytest.raises(CellTypeError, match=r"argument must be .* string.* number"):
        as_frame(np.array([[{"a": 1}, 1.0]], dtype=object))


def test_select_take_drop():
    frame = as_frame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    assert frame.take(np.array([True, False, True])).column("b").tolist() == ["x", "z"]
    assert frame.take(np.array([2, 0])).column("a").tolist() == [3, 1]
    assert frame.drop(["a"]).names == ["b"]
    assert frame.select(["b", "a"]).column("a").tolist() == [1, 2, 3]
    with pytest.raises(DataError, match="did you mean 'a'"):
        frame.select(["aa"])
    matrix = as_frame(np.arange(6.0).reshape(3, 2))
    assert matrix.drop(["x0"]).column("x1").tolist() == [1, 3, 5]
    assert matrix.take(np.array([1])).matrix.tolist() == [[2, 3]]


def test_a_column_of_its_own():
    assert as_column(pd.Series([1, 2])).tolist() == [1, 2]
    assert as_column(np.array(["a", "b"])).to_pylist() == ["a", "b"]
    assert Frame(["a"], [as_column([True, False])]).column("a").dtype == bool
