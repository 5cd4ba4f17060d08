"""The entrance of estimators for tables: raw rows in, one float matrix out."""

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    column_or_1d,
    validate_data,
)

from ganglion.base.errors import MOST_LETTERS, DataError, ParameterError
from ganglion.base.fields import fields_of
from ganglion.data.columns import Frame, as_frame
from ganglion.data.preprocess import TablePreprocessor
from ganglion.estimators.fields import TableFields


def is_frame(X: Any) -> bool:
    """Whether X is a table with named columns of their own types (pandas, polars, Arrow, Ganglion's own)."""
    return (
        isinstance(X, Frame)
        or (hasattr(X, "columns") and not isinstance(X, np.ndarray))
        or hasattr(X, "column_names")
    )


def read_rows(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X as a float64 matrix (n, columns), or as a ``Frame`` where it holds more than numbers.

    Checks number and names of the columns against those of ``fit`` (learns them with ``reset``).
    Raises ``DataError`` or scikit-learn's ``ValueError`` for what is no table, or no numbers where they pass through.
    """
    allow = "allow-nan" if estimator.preprocess == "auto" else True
    if is_frame(X) and estimator.preprocess == "auto":
        _check_feature_names(estimator, bare(X) if isinstance(X, Frame) else X, reset=reset)
        frame = as_frame(X)
        _check_n_features(estimator, np.empty((1, frame.shape[1])), reset=reset)
        if len(frame) == 0 or frame.shape[1] == 0:
            raise DataError(
                f"a table with at least one row and one column is expected, got {frame.shape[0]} x {frame.shape[1]} "
                "(0 sample(s) or 0 feature(s)); a minimum of 1 is required."
            )
        return frame
    if isinstance(X, Frame):
        X = pa.table([X.stored(i) for i in range(len(X.names))], names=X.names)
    try:
        return validate_data(estimator, X, reset=reset, dtype=np.float64, ensure_all_finite=allow)
    except (ValueError, np.exceptions.DTypePromotionError) as error:
        if estimator.preprocess == "none":
            reason = str(error).split("\n")[0][:MOST_LETTERS]  # it may quote a cell of a megabyte
            raise DataError(
                f"preprocess='none' expects a table of finite numbers ({reason}); set preprocess='auto'."
            ) from error
        if "could not convert string" in str(error):
            _check_n_features(estimator, np.asarray(X, dtype=object), reset=reset)
            return as_frame(X)
        raise


def bare(frame: Frame) -> pa.Table:
    """The names of a ``Frame`` in a form that scikit-learn's check of column names understands."""
    return pa.table({name: pa.nulls(0) for name in frame.names})


def read_weight(sample_weight: Any, X: Any, n: int) -> np.ndarray:
    """Sample weights (n,) as float64, ones if none are given; refuses negative ones and none above 0."""
    if sample_weight is None:
        return np.ones(n)
    weight = _check_sample_weight(sample_weight, np.empty((n, 1)), dtype=np.float64, ensure_non_negative=True)
    if not weight.sum() > 0:
        raise DataError("sample_weight must hold at least one number above 0; leave out such rows instead.")
    return weight


def read_validation(validation: Any, n: int, kept: Any = slice(None)) -> tuple[np.ndarray, np.ndarray] | None:
    """Places of the rows to train on and of those kept aside, from truth values (n,); nothing if none are given.

    Arguments: ``validation`` is true for the rows that choose the epoch; ``kept`` says which of the n rows are used,
    and the places are those among them. Raises ``DataError``.

    >>> [part.tolist() for part in read_validation([False, True, False], 3)]
    [[0, 2], [1]]
    """
    if validation is None:
        return None
    mask = np.asarray(validation)
    if mask.shape != (n,) or mask.dtype != bool:
        raise DataError(
            f"validation must hold {n:,} truth values, one a row, got {mask.dtype} {mask.shape}; give True for the "
            "rows that choose the epoch."
        )
    mask = mask[kept]
    if mask.all():
        raise DataError(
            "validation keeps every row aside, so that none is left to train on; leave some False."
        )
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def read_labels(y: Any) -> np.ndarray:
    """Class labels (n,) of one type; objects that are all numbers, or all truth values, become these.

    Raises ``DataError`` for missing labels and scikit-learn's ``ValueError`` for what are no classes.
    """
    y = column_or_1d(np.asarray(y), warn=True)
    if y.dtype == object:
        missing = sum(v is None or v != v for v in y.tolist())
        if missing:
            raise DataError(f"y holds {missing} missing labels (Input y contains NaN); leave such rows out.")
        if all(isinstance(v, bool) for v in y) or all(type(v) in (int, float) for v in y):
            y = np.array(y.tolist())
    check_classification_targets(y)
    return y


class TableMixin:
    """Estimators whose input is a table; needs ``TableFields``."""

    def _learn_columns(self, rows: Any, y: np.ndarray, weight: np.ndarray) -> None:
        """Fit the preprocessing on training rows and their targets: codes of classes, or floating-point numbers."""
        if self.preprocess == "none":  # type: ignore[attr-defined]
            self._refuse_options()
            self.preprocessor_ = None
            return
        options = {k: getattr(self, k) for k in fields_of(TableFields) if k != "preprocess"}
        self.preprocessor_ = TablePreprocessor(**options).fit(rows, y, sample_weight=weight)

    def _refuse_options(self) -> None:
        """Options that make or drop columns mean nothing where numbers pass through."""
        for name in ("interactions", "select", "dates", "encode"):
            value, default = getattr(self, name), fields_of(TableFields)[name].default
            if value == "target" if name == "encode" else value != default:
                raise ParameterError(
                    f"{type(self).__name__}: {name}={value!r} needs learned columns, but preprocess='none' passes "
                    "numbers through; set preprocess='auto'."
                )

    def _training_matrix(self, rows: Any, train: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """All rows as the network sees them; those in ``train`` are not told their own target."""
        matrix = self._matrix(rows)
        if self.preprocessor_ is not None and self.encode == "target" and len(train):  # type: ignore[attr-defined]
            part = take(rows, train)
            matrix[train] = self.preprocessor_.transform_training(part, y[train], weight[train])
        return matrix

    def _matrix(self, rows: Any) -> np.ndarray:
        """Rows as the network sees them, float32 (n, features)."""
        if self.preprocessor_ is None:
            return np.ascontiguousarray(rows, dtype=np.float32)
        return self.preprocessor_.transform(rows)

    def _layout(self) -> tuple[int, tuple[int, ...]]:
        """Real-valued columns of the matrix, and the number of codes of each trailing category."""
        if self.preprocessor_ is None:
            return self.n_features_in_, ()  # type: ignore[attr-defined]
        return self.preprocessor_.n_real_, tuple(self.preprocessor_.cardinalities_)

    def _blank(self) -> Any:
        """A row of gaps, or of zeros where numbers pass through."""
        row = np.full((1, self.n_features_in_), 0.0 if self.preprocessor_ is None else np.nan)  # type: ignore[attr-defined]
        names = getattr(self, "feature_names_in_", None)
        return row if names is None else Frame(names.tolist(), list(row.T))

    def summary(self) -> str:
        """What was learned and how it went, in a few lines, with what was made of the columns."""
        text = super().summary()  # type: ignore[misc]
        said = {} if self.preprocessor_ is None else self.preprocessor_.changes()
        return "\n".join([text, *(f"{what}: {names}" for what, names in said.items())])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.allow_nan = self.preprocess == "auto"  # type: ignore[attr-defined]
        tags.input_tags.categorical = self.preprocess == "auto"  # type: ignore[attr-defined]
        return tags


def take(rows: Any, index: np.ndarray) -> Any:
    """Some rows of a matrix or a frame."""
    return rows.take(index) if isinstance(rows, Frame) else rows[index]
