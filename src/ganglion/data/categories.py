"""All category columns of a table as columns of the matrix: signs, one-hot, ordinal, target means, codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.data import encode
from ganglion.data.columns import Frame
from ganglion.data.goal import Goal
from ganglion.data.level_means import level_means, out_of_fold
from ganglion.data.schema import Column

USABLE = ("sign", "onehot", "ordinal", "embedding", "target")


class Categories:
    """How each category is written; what was learned is plain values and arrays.

    Args:
        columns: (column, how, its k levels) of each; how as from ``encode.choose``.

    Codes are 0 for a missing or never seen level. Target means are standardised over the training rows: a table
    ``means.NAME`` (k + 1, targets), with the ``centre.NAME`` and ``factor.NAME`` (targets,) that did it.
    """

    def __init__(self, columns: Sequence[tuple[Column, str, list[str]]]) -> None:
        self.columns = list(columns)
        self.arrays: dict[str, np.ndarray] = {}

    @classmethod
    def of(cls, schema: list[Column], rows: float, method: str, max_onehot: int) -> "Categories":
        """The categories of a schema that ``rows`` rows (by weight) were learned from."""
        chosen = []
        for column in schema:
            if column.kind in ("category", "boolean"):
                how = encode.choose(method, len(column.levels), max_onehot)
                present = rows * (1.0 - column.missing)
                chosen.append((column, how, encode.kept_levels(column, present, how)))
        return cls(chosen)

    @property
    def learns_target(self) -> bool:
        """Whether training rows get other codes than rows to predict."""
        return any(how == "target" for _, how, _ in self.columns)

    def fit_means(self, frame: Frame, counts: np.ndarray, goal: Goal) -> None:
        """Learn the target means of the columns that ask for them."""
        for column, how, levels in self.columns:
            if how == "target":
                codes = _codes(frame, column, levels)
                table = level_means(codes, goal.columns, counts, len(levels) + 1)
                centre = np.average(goal.columns, axis=0, weights=counts)
                spread = np.sqrt(np.average((table[codes] - centre) ** 2, axis=0, weights=counts))
                factor = np.divide(
                    1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12 * np.abs(centre)
                )
                self.arrays[f"means.{column.name}"] = (table - centre) * factor
                self.arrays |= {f"centre.{column.name}": centre, f"factor.{column.name}": factor}

    def names(self) -> list[tuple[str, str]]:
        """Name and raw column of each real-valued column, in the order in which ``write`` puts them."""
        found: list[tuple[str, str]] = []
        for column, how, levels in self.columns:
            if how == "onehot":
                names = [f"{column.name}={level}" for level in levels]
            elif how == "target":
                k = self.arrays[f"means.{column.name}"].shape[1]
                names = [f"{column.name} mean" + (f" {i + 1}" if k > 1 else "") for i in range(k)]
            else:
                names = (
                    []
                    if how == "embedding"
                    else [f"{column.name}={levels[-1]}" if how == "sign" else column.name]
                )
            found += [(name, column.name) for name in names]
        return found

    def embedded(self) -> list[tuple[str, int]]:
        """Name and number of codes of each category with learned vectors."""
        return [(c.name, len(levels) + 1) for c, how, levels in self.columns if how == "embedding"]

    def write(
        self,
        frame: Frame,
        out: np.ndarray,
        start: int,
        end: int,
        training: tuple[np.ndarray, Goal] | None = None,
    ) -> None:
        """Write the real-valued columns from ``start`` and the codes from ``end`` into ``out`` (n, features).

        ``training`` are weights and target of rows that were learned from: their target means come from the other
        folds.
        """
        for column, how, levels in self.columns:
            code = _codes(frame, column, levels)
            if how == "onehot":
                encode.one_hot(code, len(levels), out[:, start : start + len(levels)])
                start += len(levels)
            elif how == "embedding":
                out[:, end] = code
                end += 1
            elif how == "target":
                found = self.arrays[f"means.{column.name}"][code]
                if training is not None:
                    counts, goal = training
                    apart = out_of_fold(code, goal.columns, counts, len(levels) + 1)
                    found = (apart - self.arrays[f"centre.{column.name}"]) * self.arrays[
                        f"factor.{column.name}"
                    ]
                out[:, start : start + found.shape[1]] = found
                start += found.shape[1]
            else:
                out[:, start] = encode.signs(code) if how == "sign" else encode.ordinal(code, len(levels))
                start += 1

    def state(self) -> tuple[list[Any], dict[str, np.ndarray]]:
        """Names, encodings and levels for JSON, and the arrays."""
        return [[column.name, how, levels] for column, how, levels in self.columns], dict(self.arrays)

    @classmethod
    def from_state(
        cls, values: list[Any], arrays: dict[str, np.ndarray], by_name: dict[str, Column]
    ) -> "Categories":
        """The categories from ``state``; raises ``KeyError`` or ``ValueError`` for what ``fit`` never leaves."""
        self = cls([(by_name[name], str(how), [str(v) for v in levels]) for name, how, levels in values])
        self.arrays = dict(arrays)
        for column, how, levels in self.columns:
            if how not in USABLE:
                raise ValueError("unknown encoding")
            if how == "target":
                means, centre, factor = (arrays[f"{a}.{column.name}"] for a in ("means", "centre", "factor"))
                sound = means.ndim == 2 and means.shape == (len(levels) + 1, means.shape[1])
                if not sound or centre.shape != means.shape[1:] or factor.shape != means.shape[1:]:
                    raise ValueError("target means of another shape")
                if not all(a.dtype.kind == "f" and np.isfinite(a).all() for a in (means, centre, factor)):
                    raise ValueError("target means that are no numbers")
        return self


def _codes(frame: Frame, column: Column, levels: list[str]) -> np.ndarray:
    return encode.codes(frame.stored(column.name), encode.level_array(levels), column.kind)
