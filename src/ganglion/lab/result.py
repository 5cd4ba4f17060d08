"""The result of an experiment: its numbers with their spread, the checks, the verdict; as text and as a dict."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from matplotlib.axes import Axes

from ganglion.lab.experiment import NOT_SHOWN, Experiment, Setting, Shown
from ganglion.plot.style import new_axes

WIDTH = 79


@dataclass
class Result:
    """What one run of an experiment gave."""

    experiment: Experiment
    setting: Setting
    shown: Shown
    seconds: float

    @property
    def verdict(self) -> str:
        """The experiment's verdict if every check holds on these numbers, else ``"not shown"``."""
        return self.experiment.verdict if all(c.holds for c in self.shown.checks) else NOT_SHOWN

    @property
    def holds_up(self) -> bool:
        """Whether the numbers bear the experiment's own verdict."""
        return self.verdict != NOT_SHOWN

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the experiment's figure; returns the axes."""
        ax = new_axes() if ax is None else ax
        self.shown.draw(ax)
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values (for JSON)."""
        about = {k: v for k, v in vars(self.experiment).items() if k != "body"}
        return {
            **about,
            "seed": self.setting.seed,
            "quick": self.setting.quick,
            "seconds": round(self.seconds, 2),
            "table": {
                row: {column: summary(values) for column, values in cells.items()}
                for row, cells in self.shown.table.items()
            },
            "checks": [{"sentence": c.sentence, "holds": c.holds} for c in self.shown.checks],
            "settings": {k: str(v) for k, v in self.shown.settings.items()},
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        e = self.experiment
        form = "reduced form, " if self.setting.quick else ""
        lines = [f"{e.name}  ({form}seed {self.setting.seed}, {self.seconds:.1f} s)", ""]
        lines += paragraph("claim", e.claim) + paragraph("method", e.method)
        lines += ["", *table_lines(self.shown.table), ""]
        for check in self.shown.checks:
            lines += paragraph("yes" if check.holds else "NO", check.sentence)
        lines += [
            "",
            *paragraph("verdict", f"{self.verdict}. {e.reading}" if self.holds_up else self.verdict),
        ]
        if e.sources:
            lines += paragraph("sources", "; ".join(e.sources))
        return "\n".join(lines)


def summary(values: Sequence[float] | float) -> dict[str, float]:
    """Mean, standard deviation and number of some values.

    >>> summary([1.0, 3.0])
    {'mean': 2.0, 'std': 1.4142135623730951, 'n': 2}
    """
    found = [float(values)] if isinstance(values, int | float) else [float(v) for v in values]
    spread = stdev(found) if len(found) > 1 and all(map(math.isfinite, found)) else 0.0
    return {"mean": mean(found), "std": spread, "n": len(found)}


def in_words(values: Sequence[float] | float) -> str:
    """The mean, with the spread where there are several values.

    >>> in_words([0.91, 0.93]), in_words(12), in_words([1e-9])
    ('0.92 ± 0.014', '12', '1e-09')
    """
    known = summary(values)
    text = number(known["mean"])
    spread = f"{known['std']:,.0f}" if 100 <= known["std"] < 1e6 else f"{known['std']:.2g}"
    return f"{text} ± {spread}" if known["n"] > 1 and known["std"] > 0 else text


def number(value: float) -> str:
    """A number in three or four significant digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def paragraph(word: str, text: str) -> list[str]:
    """A word in the margin and the text beside it."""
    return textwrap.fill(text, WIDTH, initial_indent=f"{word:<9}", subsequent_indent=" " * 9).split("\n")


def columns_of(table: dict[str, dict[str, Any]]) -> list[str]:
    """All columns of a table in the order in which rows bring them."""
    return list(dict.fromkeys(column for cells in table.values() for column in cells))


def table_lines(table: dict[str, dict[str, Any]]) -> list[str]:
    """A table as aligned text."""
    columns = columns_of(table)
    rows = [["", *columns]]
    rows += [
        [row, *(in_words(cells[c]) if c in cells else "" for c in columns)] for row, cells in table.items()
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
