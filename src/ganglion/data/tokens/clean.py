"""Texts as people give them: a list, an array, a column, or a table of one column."""

from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame

NAMED, LARGE = 40, 1e15  # letters of a name, and what is no longer a number worth a message


def read_texts(X: Any, n: int | None = None) -> list[str]:
    """The texts in X (n,) or (n, 1), with ``""`` for missing ones (``None``, NaN and what the libraries call so).

    Arguments:
        X: a list, a tuple, a numpy array, a column of pandas, polars, pyarrow or narwhals, or a table with one column.
        n: how many there must be.

    Raises ``DataError`` naming the row for what is neither a text nor missing, for a table of several columns, and
    where there are not ``n``.

    >>> read_texts(["a text", None])
    ['a text', '']
    """
    texts = _all_texts(["" if _is_missing(value) else value for value in _listed(X)])
    if n is not None and len(texts) != n:
        raise DataError(f"{n} texts are expected, got {len(texts)}; give one for each row.")
    return texts


def checked_texts(texts: Any) -> list[str]:
    """The texts in a collection as ``read_texts`` takes it, where none may be missing.

    Raises ``DataError`` naming the row for anything that is no text.

    >>> checked_texts(("a text", "another"))
    ['a text', 'another']
    """
    return _all_texts(_listed(texts))


def checked_text(text: Any) -> str:
    """The text, if it is one; else ``DataError``.

    >>> checked_text("a text")
    'a text'
    """
    if not isinstance(text, str):
        raise DataError(f"a text is expected, got {_shown(text)}; {_remedy(text)}.")
    return text


def _all_texts(values: list[Any]) -> list[str]:
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(f"texts are expected, got {_shown(value)} in row {row}; {_remedy(value)}.")
    return values


def _listed(X: Any) -> list[Any]:
    """The values of a collection, whatever they are."""
    if isinstance(X, Frame):
        return list(X.column(_only(X.names)).tolist())
    if nw.dependencies.is_into_dataframe(X):
        frame = nw.from_native(X, eager_only=True)
        _only(list(frame.columns))
        return next(iter(frame.iter_columns())).to_list()
    if nw.dependencies.is_into_series(X):
        return nw.from_native(X, series_only=True).to_list()
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    listed = X if isinstance(X, list | tuple) else X.tolist() if hasattr(X, "tolist") else None
    if not isinstance(listed, list | tuple):
        lazy = "call .collect() first" if hasattr(X, "collect") else "give such a collection"
        remedy = "put the text into a list" if isinstance(X, str) else lazy
        raise DataError(
            f"a list of texts, an array or a column is expected, got {type(X).__name__}; {remedy}."
        )
    return list(listed)


def _only(names: list[Any]) -> str:
    if len(names) != 1:
        listed = ", ".join(repr(name)[:NAMED] for name in names[:5]) + (" ..." if len(names) > 5 else "")
        raise DataError(
            f"a table with one column of texts is expected, got {len(names)} ({listed}); choose one."
        )
    return str(names[0])


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def _shown(value: Any) -> str:
    kind = type(value).__name__
    small = isinstance(value, bool | int | float) and not abs(value) > LARGE
    return f"{kind} {value!r}" if small else kind


def _remedy(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return "decode bytes first, as by .decode('utf-8')"
    return "give '' where there is none" if _is_missing(value) else "make it a text with str(...)"
