"""What the text in a cell means: a missing marker, a number, a date or a word."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MARKERS = (
    *("", "?", "-", "--", ".", "NA", "N/A", "n/a", "na", "#N/A", "<NA>", "NaN", "nan", "NAN", "NaT"),
    *("NULL", "Null", "null", "None"),
)
"""Cells that count as missing; ``unknown`` and ``none`` stay words, for they often are levels."""

_PLAIN = r"^(?i)[+-]?(\d+\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf(inity)?)$"
_FORMATS = {
    "plain": _PLAIN,
    "thousands": r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?$",
    "comma": r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$",
}
_SYMBOLS = r"^[$€£]\s?|\s?[%$€£]$"

_DATES = {
    "iso": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$",
    "zone": r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)$",
    "%Y/%m/%d": r"^\d{4}/\d{1,2}/\d{1,2}",
    "%m/%d/%Y": r"^\d{1,2}/\d{1,2}/\d{4}",
    "%d/%m/%Y": r"^\d{1,2}/\d{1,2}/\d{4}",
    "%d.%m.%Y": r"^\d{1,2}\.\d{1,2}\.\d{4}",
    "%d-%m-%Y": r"^\d{1,2}-\d{1,2}-\d{4}",
    "%d %b %Y": r"^\d{1,2} [A-Za-z]{3} \d{4}",
    "%b %d, %Y": r"^[A-Za-z]{3} \d{1,2}, \d{4}",
}
_TIMES = {" %H:%M:%S": r" \d{1,2}:\d{2}:\d{2}$", " %H:%M": r" \d{1,2}:\d{2}$", "": r"$"}

NUMBER_FORMATS = tuple(_FORMATS)
DATE_FORMATS = ("iso", "zone") + tuple(
    date + time for date in _DATES if date.startswith("%") for time in _TIMES
)


@dataclass
class Words:
    """A text column as its distinct cleaned cells and a code per row (-1 = missing).

    ``values`` is an Arrow array of k distinct strings, ``codes`` an int array (n,).
    """

    values: pa.Array
    codes: np.ndarray

    def spread(self, per_value: np.ndarray, missing: Any) -> np.ndarray:
        """The row values (n,) of something known per distinct cell (k,)."""
        return np.append(per_value, np.asarray(missing, per_value.dtype))[self.codes]

    def counts(self, weights: np.ndarray | None = None) -> np.ndarray:
        """How often (by weight) each distinct cell occurs, shape (k,)."""
        seen = self.codes >= 0
        chosen = None if weights is None else weights[seen]
        return np.bincount(self.codes[seen], chosen, minlength=len(self.values)).astype(float)


def words(column: pa.Array) -> Words:
    """Trim the cells, read the missing markers, and number the distinct ones.

    Example:
        >>> found = words(pa.array([" a", "?", "b", "a "]))
        >>> found.values.to_pylist(), found.codes.tolist()
        (['a', 'b'], [0, -1, 1, 0])
    """
    raw = column.dictionary_encode()
    cleaned = pc.utf8_trim_whitespace(raw.dictionary)
    marked = pc.is_in(cleaned, value_set=pa.array(MARKERS, cleaned.type))
    cleaned = pc.if_else(marked, pa.scalar(None, cleaned.type), cleaned).dictionary_encode()
    of_raw = np.append(_codes(cleaned), -1)
    return Words(cleaned.dictionary, of_raw[_codes(raw)])


def _codes(encoded: pa.DictionaryArray) -> np.ndarray:
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


_MAYBE_NUMBER = re.compile(r"\d|inf", re.IGNORECASE)
_MAYBE_DATE = re.compile(r"\d[-/.]\d|[A-Za-z]{3} \d{1,2}, \d|\d [A-Za-z]{3} \d")


def _like(values: pa.Array, pattern: re.Pattern[str]) -> bool:
    """A quick look at the first cells, for tables of thousands of columns."""
    return any(pattern.search(cell) for cell in values.slice(0, 30).to_pylist() if cell)


def number_format(values: pa.Array) -> str | None:
    """The number format that most of these distinct strings follow (``None``: none looks like a number)."""
    if not _like(values, _MAYBE_NUMBER):
        return None
    sample = values.slice(0, 500)
    if _matches(sample, "plain").all():
        return "plain"
    shares = {name: int(_matches(sample, name).sum()) for name in _FORMATS}
    return max(shares, key=lambda name: (shares[name], name == "plain"))


def _without_symbols(values: pa.Array, form: str) -> pa.Array:
    return values if form == "plain" else pc.replace_substring_regex(values, _SYMBOLS, "")


def _matches(values: pa.Array, form: str) -> np.ndarray:
    found = pc.match_substring_regex(_without_symbols(values, form), _FORMATS[form])
    return found.fill_null(False).to_numpy(zero_copy_only=False)


def parse_numbers(values: pa.Array, form: str = "plain") -> np.ndarray:
    """Distinct strings (k,) as float64; what is no number in this format becomes NaN.

    Args:
        values: Arrow array of trimmed strings.
        form: ``"plain"`` (1234.5, 1e5), ``"thousands"`` ($1,234.5) or ``"comma"`` (1.234,5).

    Example:
        >>> parse_numbers(pa.array(["1.234,5", "x"]), "comma").tolist()
        [1234.5, nan]
    """
    ok = _matches(values, form)
    text = _without_symbols(values, form)
    if form == "thousands":
        text = pc.replace_substring(text, ",", "")
    if form == "comma":
        text = pc.replace_substring(pc.replace_substring(text, ".", ""), ",", ".")
    text = pc.if_else(pa.array(ok), text, pa.scalar(None, text.type))
    return text.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)


def date_format(values: pa.Array) -> str | None:
    """The date format that at least 95 % of these distinct strings follow, or ``None``."""
    if not _like(values, _MAYBE_DATE):
        return None
    sample = values.slice(0, 200)
    for name in DATE_FORMATS:
        if np.mean(~np.isnat(parse_dates(sample, name))) >= 0.95:
            return name
    return None


def parse_dates(values: pa.Array, form: str) -> np.ndarray:
    """Distinct strings (k,) as datetime64[us] (UTC where a zone stands); others become NaT.

    Args:
        values: Arrow array of trimmed strings.
        form: one of ``DATE_FORMATS``.
    """
    pattern = _date_pattern(form)
    ok = pc.match_substring_regex(values, pattern).fill_null(False)
    if not pc.any(ok).as_py():
        return np.full(len(values), np.datetime64("NaT"), "datetime64[us]")
    text = pc.if_else(ok, values, pa.scalar(None, values.type))
    if form in ("iso", "zone"):
        dates = _cast_dates(text, pa.timestamp("us", "UTC" if form == "zone" else None))
    else:
        dates = pc.strptime(text, format=form, unit="us", error_is_null=True)
    return dates.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[us]")


def _date_pattern(form: str) -> str:
    if form in ("iso", "zone"):
        return _DATES[form]
    day, _, clock = form.partition(" %H")
    return _DATES[day] + _TIMES[" %H" + clock if clock else ""]


def _cast_dates(text: pa.Array, kind: pa.DataType) -> pa.Array:
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:  # one impossible day such as 2020-02-31: look at the cells one by one
        return pa.array([_cast_one(cell, kind) for cell in text], kind)


def _cast_one(cell: pa.Scalar, kind: pa.DataType) -> object:
    try:
        return cell.cast(kind).value if cell.is_valid else None
    except pa.ArrowInvalid:
        return None


def number_text(values: np.ndarray) -> pa.Array:
    """Numbers (n,) as text levels: 1.0 -> ``"1"``, 1.5 -> ``"1.5"``, NaN -> missing."""
    distinct, codes = np.unique(np.asarray(values, float), return_inverse=True)
    text = [None if v != v else (str(int(v)) if v == int(v) else repr(float(v))) for v in _finite(distinct)]
    return pa.array(text, pa.large_string()).take(pa.array(codes.ravel()))


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)
