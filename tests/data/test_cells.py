"""Numbers, dates and missing markers in text."""

import numpy as np
import pyarrow as pa
import pytest

from ganglion.data.cells import (
    DATE_FORMATS,
    MARKERS,
    date_format,
    number_format,
    number_text,
    parse_dates,
    parse_numbers,
    words,
)


def test_words_trim_mark_and_number():
    found = words(pa.array([" a", "?", None, "b", "a\t", " NA "]))
    assert found.values.to_pylist() == ["a", "b"]
    assert found.codes.tolist() == [0, -1, -1, 1, 0, -1]
    assert found.counts().tolist() == [2, 1]
    assert found.counts(np.array([1, 1, 1, 3, 2.5, 1])).tolist() == [3.5, 3]
    assert found.spread(np.array([10.0, 20.0]), np.nan)[3] == 20


def test_every_marker_is_missing_and_real_words_are_not():
    assert (words(pa.array(MARKERS)).codes == -1).all()
    assert (words(pa.array(["none", "unknown", "No", "0", "n"])).codes >= 0).all()


@pytest.mark.parametrize(
    ("form", "cells", "values"),
    [
        ("plain", ["1", "+2.5", "-.5", "1e3", "5.", "inf", "1_0", "0x1"], [1, 2.5, -0.5, 1000, 5, np.inf]),
        ("thousands", ["1,234.5", "$12", "7 %", "-1,000,000", "1,23"], [1234.5, 12, 7, -1_000_000]),
        ("comma", ["1.234,5", "3,25", "€ 7", "1,2,3"], [1234.5, 3.25, 7]),
    ],
)
def test_number_formats(form, cells, values):
    parsed = parse_numbers(pa.array(cells), form)
    np.testing.assert_array_equal(parsed, values + [np.nan] * (len(cells) - len(values)))


def test_number_format_is_found():
    assert number_format(pa.array(["1", "2.5"])) == "plain"
    assert number_format(pa.array(["1,5", "2,25"])) == "comma"
    assert number_format(pa.array(["1,500", "22,250.5"])) == "thousands"
    assert np.isposinf(parse_numbers(pa.array(["1e999"]))[0])


@pytest.mark.parametrize(
    ("form", "cell"),
    [
        ("iso", "2020-03-04"),
        ("iso", "2020-03-04 05:06"),
        ("iso", "2020-03-04T05:06:07.123456789"),
        ("zone", "2020-03-04T07:06:07+02:00"),
        ("zone", "2020-03-04T05:06:07Z"),
        ("%Y/%m/%d", "2020/03/04"),
        ("%m/%d/%Y", "03/04/2020"),
        ("%d.%m.%Y %H:%M", "04.03.2020 05:06"),
        ("%d-%m-%Y", "04-03-2020"),
        ("%d %b %Y", "04 Mar 2020"),
        ("%b %d, %Y", "Mar 04, 2020"),
    ],
)
def test_date_formats(form, cell):
    parsed = parse_dates(pa.array([cell, "x", None]), form)
    assert str(parsed[0])[:10] == "2020-03-04"
    assert np.isnat(parsed[1:]).all()
    assert date_format(pa.array([cell])) == form


def test_dates_that_are_none():
    assert date_format(pa.array(["1", "2020", "abc"])) is None
    assert np.isnat(parse_dates(pa.array(["2020-02-31", "2020-02-28"]), "iso")).tolist() == [True, False]
    assert date_format(pa.array(["25/12/2020", "01/02/2020"])) == "%d/%m/%Y"
    assert len(set(DATE_FORMATS)) == len(DATE_FORMATS)


def test_numbers_as_levels():
    assert number_text(np.array([1.0, 1.5, np.nan, -2.0])).to_pylist() == ["1", "1.5", None, "-2"]
