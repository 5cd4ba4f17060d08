"""From a raw table to the one float32 matrix that a network takes; everything learned is plain arrays."""

import numbers
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ModelFileError, ParameterError, unknown_name
from ganglion.data import dates, encode, impute, interactions, scale, weighted
from ganglion.data.categories import Categories
from ganglion.data.columns import Frame, as_frame
from ganglion.data.drift import differences
from ganglion.data.goal import Goal
from ganglion.data.numbers import Numbers, part
from ganglion.data.schema import Column, describe, infer_schema
from ganglion.data.select import Sample, select_columns, selection


class TablePreprocessor:
    """Learns types, gaps, levels and scales of the training rows, and turns tables into numbers.

    The matrix holds first the real-valued columns (scaled numbers, date parts, missing indicators,
    interactions, one-hot, ordinal and target-coded categories), then one column per embedded category with its
    code (0 = missing or never seen). Missing and never seen categories are all zero in one-hot form. Integer
    sample weights give the same result as repeated rows (except out-of-fold means, where repeats would be told
    their own answer); rows of weight 0 do not count.

    Args:
        impute: ``"mean"``, ``"median"``, ``"most_frequent"``, ``"knn"`` or ``"iterative"`` for numbers.
        indicators: add a 0/1 column for each number or date that has gaps in training.
        encode: ``"auto"`` (one-hot up to ``max_onehot`` levels, embedding beyond), ``"onehot"``,
            ``"ordinal"``, ``"embedding"`` or ``"target"`` (see ``level_means``; training rows then need
            ``transform_training``); two levels are always one column of -1 and 1.
        scale: ``"auto"`` (see ``Scaler``), ``"none"``, ``"standard"``, ``"robust"``, ``"minmax"`` or
            ``"quantile"``.
        max_onehot: most levels that ``"auto"`` one-hot encodes.
        integer_levels: whole-number columns with at most this many values become categories.
        neighbors: rows that ``"knn"`` averages.
        dates: what becomes of them: ``"parts"`` (all), ``"cyclic"`` (month, weekday and hour on circles) or
            ``"elapsed"`` (days since 1970).
        interactions: products, squares, ratios or radius of the numbers (see ``interactions``), or ``None``.
        select: which columns of the matrix stay (see ``select``), or ``None`` for all.

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
        dates: str = "parts",
        interactions: str | None = None,
        select: str | None = None,
    ) -> None:
        self.impute = impute
        self.indicators = indicators
        self.encode = encode
        self.scale = scale
        self.max_onehot = max_onehot
        self.integer_levels = integer_levels
        self.neighbors = neighbors
        self.dates = dates
        self.interactions = interactions
        self.select = select

    # learning

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "TablePreprocessor":
        """Learn from the training rows.

        Args:
            X: (n, d) table of any kind that ``as_frame`` takes.
            y: (n,) or (n, k) numbers (floating-point), or (n,) classes (any other type); needed where something is
                learned from the target.
            sample_weight: (n,) weights, not negative.

        Raises:
            ParameterError: an option is unknown, or needs a target that is not given.
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
        goal = self._goal(y, len(frame))
        if weights is not None and not weights.all():
            used = np.flatnonzero(weights > 0)
            frame, weights, goal = frame.take(used), weights[used], goal and goal.take(used)
        counts = weighted.as_counts(weights, len(frame))
        self._frame_facts(frame, counts)
        self.numbers_ = Numbers(self.schema_, self)
        self.numbers_.fit(frame, counts, goal)
        self.categories_ = Categories.of(self.schema_, float(counts.sum()), self.encode, self.max_onehot)
        if goal is not None:
            self.categories_.fit_means(frame, counts, goal)
        self._kept: np.ndarray | None = None
        self._lay_out()
        if self.select is not None and goal is not None:
            training = self._written(frame, (counts, goal))
            self._kept = select_columns(self.select, Sample(training, counts, goal, self.n_real_))
            self._lay_out()
        return self

    def _goal(self, y: Any, n: int) -> Goal | None:
        """The target, where something is learned from it."""
        wanting = [name for name in ("encode", "interactions", "select") if self._wants_target(name)]
        if not wanting:
            return None
        if y is None:
            what = f"{wanting[0]}={getattr(self, wanting[0])!r}"
            raise ParameterError(f"{what} learns from the target, but there is none: give y to fit.")
        goal = Goal.of(y, n)
        self.labels_ = goal.labels
        return goal

    def _wants_target(self, option: str) -> bool:
        value = getattr(self, option)
        if option == "interactions":
            return value is not None and interactions.wished(value)[1] is not None
        return value == "target" if option == "encode" else value is not None

    def _check_options(self) -> None:
        for option, known in (
            ("impute", impute.METHODS),
            ("encode", encode.METHODS),
            ("scale", scale.METHODS),
            ("dates", dates.METHODS),
        ):
            if getattr(self, option) not in known:
                raise ParameterError(unknown_name(f"{option} =", getattr(self, option), known))
        for option, least in (("max_onehot", 0), ("integer_levels", 0), ("neighbors", 1)):
            value = getattr(self, option)
            if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
                raise ParameterError(
                    f"{option} is expected to be a whole number from {least}, got {value!r}."
                )
        if self.interactions is not None:
            interactions.wished(self.interactions)
        if self.select is not None:
            selection(self.select)

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

    def _lay_out(self) -> None:
        """Names, raw columns and places of the output columns."""
        names = self.numbers_.names() + [(name, [owner]) for name, owner in self.categories_.names()]
        codes = self.categories_.embedded()
        self._width_real, self._width = len(names), len(names) + len(codes)
        names += [(name, [name]) for name, _ in codes]
        kept = range(self._width) if self._kept is None else self._kept.tolist()
        self.n_real_ = sum(i < self._width_real for i in kept)
        self.cardinalities_ = tuple(codes[i - self._width_real][1] for i in kept if i >= self._width_real)
        self.names_out_ = [names[i][0] for i in kept]
        self.unselected_ = [names[i][0] for i in sorted(set(range(self._width)) - set(kept))]
        owners = {owner for i in kept for owner in names[i][1]}
        self.unused_ = [name for name in self.kept_ if name not in owners]

    # using

    def transform(self, X: Any) -> np.ndarray:
        """A table as the network's numbers, float32 (n, n_features).

        Columns are found by name when both tables have names (order and extra columns do not matter),
        else by position.

        Raises:
            DataError: a missing column, another number of columns, infinities.
        """
        return self._chosen(self._written(self._aligned(as_frame(X))))

    def transform_training(self, X: Any, y: Any, sample_weight: Any = None) -> np.ndarray:
        """The rows that ``fit`` learned from as numbers to train on: no row's target means know its own target.

        With ``encode="target"`` each row's means come from the folds that do not hold it, in everything else this
        is ``transform``. Arguments are those of ``fit``.
        """
        frame = self._aligned(as_frame(X))
        if not self.categories_.learns_target:
            return self.transform(frame)
        weights = _checked_weights(sample_weight, len(frame))
        counts = np.ones(len(frame)) if weights is None else weights
        used = np.flatnonzero(counts > 0)
        goal = Goal.of(y, len(frame), self.labels_).take(used)
        out = self._written(frame)
        out[used] = self._written(frame.take(used), (weighted.as_counts(counts[used], len(used)), goal))
        return self._chosen(out)

    def _chosen(self, out: np.ndarray) -> np.ndarray:
        return out if self._kept is None else np.ascontiguousarray(out[:, self._kept])

    def _written(self, frame: Frame, training: tuple[np.ndarray, Goal] | None = None) -> np.ndarray:
        """All columns, before any choice among them."""
        out = np.zeros((len(frame), self._width), dtype=np.float32)
        width = self.numbers_.write(frame, out)
        self.categories_.write(frame, out, width, self._width_real, training)
        return out

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """``fit``, and the same rows as numbers to train on (see ``transform_training``)."""
        frame = as_frame(X)
        return self.fit(frame, y, sample_weight).transform_training(frame, y, sample_weight)

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

    def schema_differences(self, X: Any) -> list[str]:
        """What is different in a new table: missing columns, unseen categories, drift; one sentence each."""
        return differences(as_frame(X), self.schema_, self.named_, self.n_features_in_)

    def summary(self) -> str:
        """A few words on the training table, such as "8 categorical, 6,465 missing"."""
        return describe(self.schema_, self.n_rows_)

    def changes(self) -> dict[str, str]:
        """What was made of the columns and what was dropped, in words, for people; empty by default."""
        coded = [column.name for column, how, _ in self.categories_.columns if how == "target"]
        said = {
            f"made by interactions={self.interactions}": self.numbers_.interaction_names(),
            "categories as means of the target": coded,
            f"inputs dropped by select={self.select}": self.unselected_,
        }
        return {what: _listed(names) for what, names in said.items() if names}

    def variance_ratio(self, column: Column) -> float | None:
        """Variance of a number after its gaps are filled over that before; ``None`` unless one value fills them."""
        if column.kind != "number" or self.impute not in ("mean", "median", "most_frequent"):
            return None
        place = [c.name for c in self.numbers_.columns].index(column.name)
        fill = float(self.numbers_.imputer.arrays["fill"][place])
        return impute.variance_ratio(column.missing, column.mean or 0.0, column.std or 0.0, fill)

    # storing

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Everything learned, as plain values for JSON and plain arrays."""
        numbers, arrays = self.numbers_.state()
        categories, category_arrays = self.categories_.state()
        values = {
            "options": {name: getattr(self, name) for name in _OPTIONS},
            "named": self.named_,
            "n_rows": self.n_rows_,
            "schema": [column.to_dict() for column in self.schema_],
            "categories": categories,
            "labels": self.labels_ if self.categories_.learns_target else None,
            "kept": None if self._kept is None else self._kept.tolist(),
        }
        arrays |= {f"category.{name}": array for name, array in category_arrays.items()}
        return values | numbers, arrays

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
        options = values["options"]  # files of earlier versions lack the later ones
        self = cls(**{name: options[name] for name in _OPTIONS if name in options or name in _FIRST_OPTIONS})
        self._check_options()
        self.named_ = bool(values["named"])
        self.n_rows_ = float(values["n_rows"])
        self.schema_ = [Column.from_dict(column) for column in values["schema"]]
        self.names_in_ = [column.name for column in self.schema_]
        self.n_features_in_ = len(self.names_in_)
        self.kept_ = [column.name for column in self.schema_ if column.used]
        self.dropped_ = {column.name: column.note for column in self.schema_ if not column.used}
        self.numbers_ = Numbers(self.schema_, self)
        self.numbers_.restore(values, arrays)
        by_name = {column.name: column for column in self.schema_}
        self.categories_ = Categories.from_state(values["categories"], part(arrays, "category."), by_name)
        self.labels_ = values.get("labels")
        self._kept = None
        self._lay_out()
        if values.get("kept") is not None:
            self._kept = _restored_places(values["kept"], self._width)
            self._lay_out()
        self._try_out()
        return self

    def _try_out(self) -> None:
        """One row of gaps must pass, so that a damaged state is met at loading."""
        gap = Frame(self.names_in_, matrix=np.full((1, self.n_features_in_), np.nan), named=self.named_)
        if not np.isfinite(self.transform(gap)).all():
            raise ValueError("a gap is not filled")


_FIRST_OPTIONS = ("impute", "indicators", "encode", "scale", "max_onehot", "integer_levels", "neighbors")
_OPTIONS = (*_FIRST_OPTIONS, "dates", "interactions", "select")


def _restored_places(values: Any, width: int) -> np.ndarray:
    """Kept columns out of a file; raises ``ValueError`` for what no choice leaves."""
    sound = bool(values) and all(type(v) is int and 0 <= v < width for v in values)
    if not sound or sorted(set(values)) != values:
        raise ValueError("kept columns that are not there")
    return np.array(values, dtype=np.int64)


def _listed(names: list[str], most: int = 8) -> str:
    """How many, and the first few.

    >>> _listed(["a", "b", "c"], 2)
    '3: a, b ...'
    """
    return f"{len(names):,}: " + ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _checked_weights(sample_weight: Any, n_rows: int) -> np.ndarray | None:
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_rows,):
        raise DataError(f"{n_rows} sample weights are expected, got shape {weights.shape}: one per row.")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise DataError("sample weights are expected to be finite, not negative and not all 0: mend them.")
    return weights
