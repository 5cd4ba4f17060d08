"""Pages made from results: one offline HTML file per run."""

from ganglion.report.inputs import ColumnRow, Healing, ModelScore, ReportInput, Reproduce
from ganglion.report.page import render

__all__ = ["ColumnRow", "Healing", "ModelScore", "ReportInput", "Reproduce", "render"]
