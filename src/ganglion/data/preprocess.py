"""From a raw table to the one float32 matrix that a network takes; everything learned is plain arrays."""

import numbers
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ModelFileError, ParameterError, unknown_name
from ganglion.data import dates, encode, impute, scale, weighted
from ganglion.data.columns import Frame, as_frame
from ganglion.data.drift import differences
from ganglion.data.schema import LARGEST, Column, describe, infer_schema, infinite, numbers_of


class TablePreprocessor:
    """Learns types, gaps, levels and scales of the training rows, and turns tables into numbers.

    The matrix holds first the real-valued columns (scaled numbers, date parts, missing indicators, one-hot
    and ordinal categories), then one column per embedded category with its code (0 = missing or never
    seen). Missing and never seen categories are all zero in one-hot form. Integer sample weights give the
    same result as repeated rows; rows of weight 0 do not count.

    Args:
        impute: ``"mean"``, ``"median"``, ``"most_frequent"``, ``"knn"`` or ``"iterative"`` for numbers.
        indicators: add a 0/1 column for each number or date that has gaps in training.
        encode: ``"auto"`` (one-hot up to ``max_onehot`` levels, embedding beyond), ``"onehot"``,
            ``"ordinal"`` or ``"embedding"``; two levels are always one column of -1 and 1.
        scale: ``"auto"`` (see ``Scaler``), ``"none"``, ``"standard"``, ``"robust"``, ``"minmax"`` or
            ``"quantile"``.
        max_onehot: most levels that ``"auto"`` one-hot encodes.
        integer_levels: whole-number columns with at most this many values become categories.
        neighbors: rows that ``"knn"`` averages.

    Example:
        >>> table = {"age": [30, None, 50, 41], "job": ["cook", "nurse", "cook", "smith"]}
        >>> pre = TablePreprocessor(impute="mean").fit(table)
        >>> pre.transform(table).shape, pre.names_out_
        ((4, 5), ['age', 'age missing', 'job=cook', 'job=nurse', 'job=smith'])
    """

    def __init__(
        self,
        *,
        impute: str = "median",
        indicators: bool = True,
        encode: str = "auto",
        scale: str = "auto",
        max_onehot: int = 16,
        integer_levels: int = 0,
        neighbors: int = 5,
    ) -> None:
        self.impute = impute
        self.indicators = indicators
        self.encode = encode
        self.scale = scale
        self.max_onehot = max_onehot
        self.integer_levels = integer_levels
        self.neighbors = neighbors

    # learning

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TablePreprocessor":
        """Learn from the training rows.

        Args:
            X: (n, d) table of any kind that ``as_frame`` takes.
            y: not used.
            sample_weight: (n,) weights, not negative.

        Raises:
            ParameterError: an option is unknown.
            DataError: no rows, no usable column, infinities, wrong weights.
        """
        self._check_options()
        frame = as_frame(X)
        if not len(frame) or not frame.names:
            raise DataError(
                f"at least 1 row and 1 column are expected, got {len(frame)} rows (0 sample(s)) and "
                f"{len(frame.names)} columns (0 feature(s)): give a table."
                if not len(frame)
                else f"0 feature(s) (shape=({len(frame)}, 0)) while a minimum of 1 is required: give columns."
            )
        weights = _checked_weights(sample_weight, len(frame))
        if weights is not None and not weights.all():
            frame, weights = frame.take(weights > 0), weights[weights > 0]
        counts = weighted.as_counts(weights, len(frame))
        self._frame_facts(frame, counts)
        self._fit_numbers(frame, counts)
        self._fit_categories(float(counts.sum()))
        self._lay_out()
        return self

    def _check_options(self) -> None:
        for option, known in (
            ("impute", impute.METHODS),
            ("encode", encode.METHODS),
            ("scale", scale.METHODS),
        ):
            if getattr(self, option) not in known:
                raise ParameterError(unknown_name(f"{option} =", getattr(self, option), known))
        for option, least in (("max_onehot", 0), ("integer_levels", 0), ("neighbors", 1)):
            value = getattr(self, option)
            if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
                raise ParameterError(
                    f"{option} is expected to be a whole number from {least}, got {value!r}."
                )

    def _frame_facts(self, frame: Frame, counts: np.ndarray) -> None:
        self.named_ = frame.named
        self.names_in_ = frame.names
        self.n_features_in_ = len(frame.names)
        self.n_rows_ = float(counts.sum())
        self.schema_ = infer_schema(frame, counts, self.integer_levels)
        if not any(column.used for column in self.schema_):
            self._keep_constants()
        self.kept_ = [column.name for column in self.schema_ if column.used]
        self.dropped_ = {column.name: column.note for column in self.schema_ if not column.used}

    def _keep_constants(self) -> None:
        """A table of constants (or of one row) is still a table: its columns become zeros."""
        for column in self.schema_:
            if column.kind == "constant":
                column.kind = "category" if column.levels else "number"
        if not any(column.used for column in self.schema_):
            why = "; ".join(f"{c.name!r}: {c.note}" for c in self.schema_[:3])
            raise DataError(f"a column to learn from is expected, but none of the table can be used ({why}).")

    def _fit_numbers(self, frame: Frame, counts: np.ndarray) -> None:
        self._numbers = [column for column in self.schema_ if column.kind == "number"]
        self._dates = [column for column in self.schema_ if column.kind == "date"]
        gappy = [c.name for c in self._numbers + self._dates if c.missing > 0]
        self._gaps = gappy if self.indicators else []
        block, _ = self._number_block(frame)
        if self.impute == "iterative" and block.shape[1] > impute.MAX_REGRESSED:
            raise DataError(
                f"iterative imputation takes at most {impute.MAX_REGRESSED} numeric columns, got "
                f"{block.shape[1]}: use impute='median'."
            )
        self.imputer_ = impute.Imputer(self.impute, self.neighbors).fit(block, counts)
        self.scaler_ = scale.Scaler(self.scale).fit(block, counts)

    def _fit_categories(self, rows: float) -> None:
        self._categories: list[tuple[Column, str, list[str]]] = []
        for column in self.schema_:
            if column.kind in ("category", "boolean"):
                how = encode.choose(self.encode, len(column.levels), self.max_onehot)
                present = rows * (1.0 - column.missing)
                self._categories.append((column, how, encode.kept_levels(column, present, how)))

    def _lay_out(self) -> None:
        """Names and places of the output columns."""
        names = [column.name for column in self._numbers]
        names += [f"{c.name}.{part}" for c in self._dates for part in dates.GROWING]
        names += [f"{c.name}.{part}" for c in self._dates for part in dates.TURNING]
        names += [f"{name} missing" for name in self._gaps]
        for column, how, levels in self._categories:
            if how == "onehot":
                names += [f"{column.name}={level}" for level in levels]
            elif how != "embedding":
                names += [f"{column.name}={levels[-1]}" if how == "sign" else column.name]
        embedded = [(c.name, len(levels)) for c, how, levels in self._categories if how == "embedding"]
        self.n_real_ = len(names)
        self.cardinalities_ = tuple(n + 1 for _, n in embedded)
        self.names_out_ = names + [name for name, _ in embedded]

    # using

    def transform(self, X: Any) -> np.ndarray:
        """A table as the network's numbers, float32 (n, n_features).

        Columns are found by name when both tables have names (order and extra columns do not matter),
        else by position.

        Raises:
            DataError: a missing column, another number of columns, infinities.
        """
        frame = self._aligned(as_frame(X))
        out = np.zeros((len(frame), len(self.names_out_)), dtype=np.float32)
        block, gaps = self._number_block(frame)
        _refuse_infinite(block, [c.name for c in self._numbers])
        width = block.shape[1]
        with np.errstate(over="ignore"):
            out[:, :width] = self.scaler_.transform(self.imputer_.transform(block))
        if self.scale != "auto":
            _refuse_infinite(out[:, :width], self.names_out_, float(np.finfo(np.float32).max))
        for column in self._dates:
            out[:, width : width + 6] = dates.turning_parts(numbers_of(frame, column))
            width += 6
        for name in self._gaps:
            out[:, width] = gaps[name]
            width += 1
        self._write_categories(frame, out, width)
        return out

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """``fit`` and then ``transform`` of the same rows."""
        frame = as_frame(X)
        return self.fit(frame, y, sample_weight).transform(frame)

    def _aligned(self, frame: Frame) -> Frame:
        if self.named_ and frame.named:
            for name in self.kept_:
                frame.index(name)
            return frame
        if len(frame.names) != self.n_features_in_:
            raise DataError(
                f"X has {len(frame.names)} features, but TablePreprocessor is expecting "
                f"{self.n_features_in_} features as input: give the columns of fit."
            )
        return frame.renamed(self.names_in_)

    def _number_block(self, frame: Frame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Raw numbers and growing date parts (n, p), and where the columns of ``_gaps`` are missing."""
        if frame.matrix is not None and not self._dates:
            places = [frame.index(column.name) for column in self._numbers]
            whole = places == list(range(len(frame.names)))
            block = np.asarray(frame.matrix if whole else frame.matrix[:, places], dtype=np.float64)
        else:
            parts = [numbers_of(frame, column)[:, None] for column in self._numbers]
            parts += [dates.growing_parts(numbers_of(frame, column)) for column in self._dates]
            block = np.hstack(parts) if parts else np.empty((len(frame), 0))
        at = {column.name: i for i, column in enumerate(self._numbers)}
        at |= {column.name: len(self._numbers) + 2 * i for i, column in enumerate(self._dates)}
        return block, {name: np.isnan(block[:, at[name]]) for name in self._gaps}

    def _write_categories(self, frame: Frame, out: np.ndarray, start: int) -> None:
        end = self.n_real_
        for column, how, levels in self._categories:
            code = encode.codes(frame.stored(column.name), encode.level_array(levels), column.kind)
            if how == "onehot":
                encode.one_hot(code, len(levels), out[:, start : start + len(levels)])
                start += len(levels)
            elif how == "embedding":
                out[:, end] = code
                end += 1
            else:
                out[:, start] = encode.signs(code) if how == "sign" else encode.ordinal(code, len(levels))
                start += 1

    def schema_differences(self, X: Any) -> list[str]:
        """What is different in a new table: missing columns, unseen categories, drift; one sentence each."""
        return differences(as_frame(X), self.schema_, self.named_, self.n_features_in_)

    def summary(self) -> str:
        """A few words on the training table, such as "8 categorical, 6,465 missing"."""
        return describe(self.schema_, self.n_rows_)

    # storing

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Everything learned, as plain values for JSON and plain arrays."""
        imputer, imputer_arrays = self.imputer_.state()
        scaler, scaler_arrays = self.scaler_.state()
        values = {
            "options": {name: getattr(self, name) for name in _OPTIONS},
            "named": self.named_,
            "n_rows": self.n_rows_,
            "schema": [column.to_dict() for column in self.schema_],
            "gaps": self._gaps,
            "categories": [[column.name, how, levels] for column, how, levels in self._categories],
            "imputer": imputer,
            "scaler": scaler,
        }
        arrays = {f"imputer.{name}": array for name, array in imputer_arrays.items()}
        arrays |= {f"scaler.{name}": array for name, array in scaler_arrays.items()}
        return values, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> "TablePreprocessor":
        """The preprocessor from ``state``, giving the same bits.

        Raises:
            ModelFileError: parts are missing or do not fit each other.
        """
        try:
            return cls._restored(values, arrays)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as error:
            raise ModelFileError(
                f"the stored preprocessing is damaged ({type(error).__name__}: {str(error)[:80]}): "
                "save the model again."
            ) from error

    @classmethod
    def _restored(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> "TablePreprocessor":
        self = cls(**{name: values["options"][name] for name in _OPTIONS})
        self._check_options()
        self.named_ = bool(values["named"])
        self.n_rows_ = float(values["n_rows"])
        self.schema_ = [Column.from_dict(column) for column in values["schema"]]
        self.names_in_ = [column.name for column in self.schema_]
        self.n_features_in_ = len(self.names_in_)
        self.kept_ = [column.name for column in self.schema_ if column.used]
        self.dropped_ = {column.name: column.note for column in self.schema_ if not column.used}
        self._numbers = [column for column in self.schema_ if column.kind == "number"]
        self._dates = [column for column in self.schema_ if column.kind == "date"]
        self._gaps = [str(name) for name in values["gaps"]]
        by_name = {column.name: column for column in self.schema_}
        self._categories = [
            (by_name[name], str(how), [str(level) for level in levels])
            for name, how, levels in values["categories"]
        ]
        self.imputer_ = impute.Imputer.from_state(values["imputer"], _part(arrays, "imputer."))
        self.scaler_ = scale.Scaler.from_state(values["scaler"], _part(arrays, "scaler."))
        self._lay_out()
        self._try_out(by_name)
        return self

    def _try_out(self, by_name: dict[str, Column]) -> None:
        """One row of gaps must pass, so that a damaged state is met at loading."""
        usable = {"sign", "onehot", "ordinal", "embedding"}
        if not all(how in usable for _, how, _ in self._categories) or not set(self._gaps) <= set(by_name):
            raise ValueError("unknown encoding or column")
        gap = Frame(self.names_in_, matrix=np.full((1, self.n_features_in_), np.nan), named=self.named_)
        if not np.isfinite(self.transform(gap)).all():
            raise ValueError("a gap is not filled")


_OPTIONS = ("impute", "indicators", "encode", "scale", "max_onehot", "integer_levels", "neighbors")


def _part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _checked_weights(sample_weight: Any, n_rows: int) -> np.ndarray | None:
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_rows,):
        raise DataError(f"{n_rows} sample weights are expected, got shape {weights.shape}: one per row.")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise DataError("sample weights are expected to be finite, not negative and not all 0: mend them.")
    return weights


def _refuse_infinite(block: np.ndarray, names: list[str], largest: float = LARGEST) -> None:
    if block.size:
        high, low = np.fmax.reduce(block, axis=0), np.fmin.reduce(block, axis=0)
        bad = np.flatnonzero((high > largest) | (low < -largest))
        if len(bad):
            raise DataError(infinite(names[bad[0]] if bad[0] < len(names) else "date"))
