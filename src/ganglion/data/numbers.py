"""All numeric and date columns of a table as columns of the matrix: filled, scaled, taken apart, multiplied."""

from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data import dates, impute, interactions, scale
from ganglion.data.columns import Frame
from ganglion.data.goal import Goal
from ganglion.data.schema import LARGEST, Column, infinite, numbers_of


class Numbers:
    """How numbers and dates are written; what was learned is plain values and arrays.

    Args:
        schema: all columns of the table.
        options: an object with ``impute``, ``neighbors``, ``indicators``, ``scale``, ``dates`` and ``interactions``
            as in ``TablePreprocessor``.
    """

    def __init__(self, schema: list[Column], options: Any) -> None:
        self.options = options
        self.columns = [column for column in schema if column.kind == "number"]
        self.dates = [column for column in schema if column.kind == "date"]
        self.grows, self.turns = dates.GROWS[options.dates], dates.TURNS[options.dates]
        gappy = [column.name for column in self.columns + self.dates if column.missing > 0]
        self.gaps = gappy if options.indicators else []
        self.imputer = impute.Imputer(options.impute, options.neighbors)
        self.scaler = scale.Scaler(options.scale)
        self.terms: list[interactions.Term] = []
        self.term_scaler = scale.Scaler(options.scale)

    def fit(self, frame: Frame, counts: np.ndarray, goal: Goal | None) -> None:
        """Learn from training rows: fillings, scales, and which interactions are the best if that is asked."""
        block, _ = self._block(frame)
        if self.options.impute == "iterative" and block.shape[1] > impute.MAX_REGRESSED:
            raise DataError(
                f"iterative imputation takes at most {impute.MAX_REGRESSED} numeric columns, got "
                f"{block.shape[1]}: use impute='median'."
            )
        self.imputer.fit(block, counts)
        self.scaler.fit(block, counts)
        if self.options.interactions is not None:
            raw, scaled = self._without_gaps(block)
            names = [column.name for column in self.columns]
            target = None if goal is None else goal.columns
            self.terms = interactions.choose_terms(
                self.options.interactions, names, raw, scaled, counts, target
            )
            self.term_scaler.fit(interactions.computed(self.terms, raw, scaled), counts)

    def _without_gaps(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numeric columns (n, d) filled: as they are, and scaled."""
        filled = self.imputer.transform(block)
        d = len(self.columns)
        return filled[:, :d], self.scaler.transform(filled)[:, :d]

    def interaction_names(self) -> list[str]:
        """A name for each interaction."""
        return interactions.term_names(self.terms, [column.name for column in self.columns])

    def names(self) -> list[tuple[str, list[str]]]:
        """Name and raw columns of each column, in the order in which ``write`` puts them."""
        numbers = [column.name for column in self.columns]
        names = [(name, [name]) for name in numbers]
        names += [(f"{c.name}.{part}", [c.name]) for c in self.dates for part in self.grows]
        names += [(f"{c.name}.{part}", [c.name]) for c in self.dates for part in self.turns]
        names += [(f"{name} missing", [name]) for name in self.gaps]
        for name, (sign, i, j) in zip(self.interaction_names(), self.terms):
            names.append((name, numbers if sign == "r" else [numbers[i], numbers[j]]))
        return names

    def write(self, frame: Frame, out: np.ndarray) -> int:
        """Write the first columns of ``out`` (n, features), and return how many; raises ``DataError``."""
        block, gaps = self._block(frame)
        _refuse_infinite(block, [c.name for c in self.columns])
        width = block.shape[1]
        with np.errstate(over="ignore"):
            out[:, :width] = self.scaler.transform(self.imputer.transform(block))
        for column in self.dates:
            if self.turns:
                out[:, width : width + len(self.turns)] = dates.turning_parts(numbers_of(frame, column))
                width += len(self.turns)
        for name in self.gaps:
            out[:, width] = gaps[name]
            width += 1
        if self.terms:
            made = interactions.computed(self.terms, *self._without_gaps(block))
            with np.errstate(over="ignore"):
                out[:, width : width + len(self.terms)] = self.term_scaler.transform(made)
            width += len(self.terms)
        if self.options.scale != "auto":
            names = [name for name, _ in self.names()]
            _refuse_infinite(out[:, :width], names, float(np.finfo(np.float32).max))
        return width

    def _block(self, frame: Frame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Raw numbers and growing date parts (n, p), and where the columns of ``gaps`` are missing."""
        if frame.matrix is not None and not self.dates:
            places = [frame.index(column.name) for column in self.columns]
            whole = places == list(range(len(frame.names)))
            block = np.asarray(frame.matrix if whole else frame.matrix[:, places], dtype=np.float64)
            cells = {column.name: block[:, i] for i, column in enumerate(self.columns)}
        else:
            cells = {column.name: numbers_of(frame, column) for column in self.columns + self.dates}
            grown = [dates.GROWING.index(part) for part in self.grows]
            parts = [cells[column.name][:, None] for column in self.columns]
            parts += [dates.growing_parts(cells[column.name])[:, grown] for column in self.dates]
            block = np.hstack(parts) if parts else np.empty((len(frame), 0))
        return block, {name: np.isnan(cells[name]) for name in self.gaps}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain values for JSON, and arrays."""
        imputer, imputer_arrays = self.imputer.state()
        scaler, scaler_arrays = self.scaler.state()
        arrays = {f"imputer.{name}": array for name, array in imputer_arrays.items()}
        arrays |= {f"scaler.{name}": array for name, array in scaler_arrays.items()}
        arrays |= {f"interaction.{name}": array for name, array in self.term_scaler.arrays.items()}
        terms = [list(term) for term in self.terms]
        return {"gaps": self.gaps, "imputer": imputer, "scaler": scaler, "interactions": terms}, arrays

    def restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Take what ``state`` gave; raises ``KeyError`` or ``ValueError`` for what ``fit`` never leaves."""
        self.gaps = [str(name) for name in values["gaps"]]
        if not set(self.gaps) <= {column.name for column in self.columns + self.dates}:
            raise ValueError("unknown column")
        self.imputer = impute.Imputer.from_state(values["imputer"], part(arrays, "imputer."))
        self.scaler = scale.Scaler.from_state(values["scaler"], part(arrays, "scaler."))
        # files of earlier versions have none
        self.terms = interactions.restored_terms(values.get("interactions", []), len(self.columns))
        self.term_scaler.arrays = part(arrays, "interaction.")


def part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names start with a prefix, by the rest of their names.

    >>> part({"a.x": 1, "b.x": 2}, "a.")
    {'x': 1}
    """
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def _refuse_infinite(block: np.ndarray, names: list[str], largest: float = LARGEST) -> None:
    if block.size:
        high, low = np.fmax.reduce(block, axis=0), np.fmin.reduce(block, axis=0)
        bad = np.flatnonzero((high > largest) | (low < -largest))
        if len(bad):
            raise DataError(infinite(names[bad[0]] if bad[0] < len(names) else "date"))
