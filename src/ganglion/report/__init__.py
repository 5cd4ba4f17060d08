"""Pages made from results: one offline HTML file per run."""

from ganglion.report.inputs import (
    ColumnRow,
    Drawing,
    Healing,
    ModelScore,
    Part,
    Passage,
    Pictures,
    Piece,
    ReportInput,
    Reproduce,
    Shown,
)
from ganglion.report.page import render

__all__ = [
    "ColumnRow",
    "Drawing",
    "Healing",
    "ModelScore",
    "Part",
    "Passage",
    "Pictures",
    "Piece",
    "ReportInput",
    "Reproduce",
    "Shown",
    "render",
]
