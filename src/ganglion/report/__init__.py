"""Pages made from results: one offline HTML file per run."""

from ganglion.report.inputs import ColumnRow, Healing, ModelScore, Pictures, ReportInput, Reproduce, Shown
from ganglion.report.page import render

__all__ = ["ColumnRow", "Healing", "ModelScore", "Pictures", "ReportInput", "Reproduce", "Shown", "render"]
