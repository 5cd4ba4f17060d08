"""Texts in the forms that people give them."""

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ganglion.base.errors import DataError
from ganglion.data.columns import as_frame
from ganglion.data.tokens.clean import checked_text, checked_texts, read_texts

FORMS = [
    list,
    tuple,
    lambda x: np.array(x, object),
    lambda x: np.array(x, object)[:, None],
    pd.Series,
    lambda x: pd.Series(x, dtype="string"),
    lambda x: pd.Series(x, dtype="category", index=[9] * len(x)),
    lambda x: pd.DataFrame({0: x}),
    lambda x: pd.DataFrame({"text": x}, index=[5] * len(x)),
    pl.Series,
    lambda x: pl.DataFrame({"text": x}),
    lambda x: pl.Series(x, dtype=pl.Categorical),
    pa.array,
    lambda x: pa.chunked_array([x]),
    lambda x: pa.table({"text": x}),
    lambda x: nw.from_native(pl.Series(x), series_only=True),
    lambda x: nw.from_native(pd.DataFrame({"text": x})),
    lambda x: as_frame({"text": x}),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_texts(form):
    assert read_texts(form(["one", None, "två"]), 3) == ["one", "", "två"]
    assert checked_texts(form(["one", "två"])) == ["one", "två"]
    with pytest.raises(DataError, match=r"row 1|got float nan in row 1"):
        checked_texts(form(["one", None, "två"]))


@pytest.mark.parametrize("missing", [None, float("nan"), np.nan, np.float32("nan"), pd.NA, pd.NaT])
def test_what_is_missing_is_an_empty_text(missing):
    assert read_texts(["a", missing]) == ["a", ""]
    assert read_texts([missing]) == [""]


def test_nothing_and_numpy_texts():
    assert read_texts([]) == read_texts(np.array([], object)) == read_texts(pd.Series([], dtype=object)) == []
    assert checked_texts(np.array(["a", "bc"])) == ["a", "bc"]


@pytest.mark.parametrize(
    ("X", "words"),
    [("a text", "got str"), (b"bytes", "got bytes"), (None, "got NoneType"), (3, "got int"), ({"a": "b"}, "got dict"),
     (["a", 3], "int 3 in row 1"), (["a", True], "bool True in row 1"), (["a", b"b"], "bytes in row 1; decode"),
     (["a", ["b"]], "list in row 1"), ([1e9], "row 0"), (np.zeros(2), "row 0"), (np.array("a"), "got ndarray"),
     (np.array([["a", "b"]], object), "row 0"), (pd.DataFrame({"a": ["x"], "b": ["y"]}), "got 2"),
     (pd.DataFrame(index=[1]), "got 0"), (pl.DataFrame({"a": ["x"]}).lazy(), "collect"), (iter(["a"]), "iterator"),
     ([10**5000], "int in row 0")],
    ids=lambda value: "" if isinstance(value, list) else None,
)  # fmt: skip
def test_what_is_no_text_is_refused(X, words):
    for read in (read_texts, checked_texts):
        with pytest.raises(DataError, match=words) as error:
            read(X)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 250


def test_the_number_of_rows_is_compared():
    with pytest.raises(DataError, match="3 texts are expected, got 2"):
        read_texts(["a", "b"], 3)


@pytest.mark.parametrize("text", [None, 3, b"a", ["a"], np.array("a")])
def test_one_text(text):
    with pytest.raises(DataError, match="a text is expected, got"):
        checked_text(text)
