"""The page of a network trained on a table."""

from collections.abc import Mapping
from typing import Any

from ganglion.plot import plot_importance
from ganglion.plot.text import clean, label
from ganglion.report.drawing import drawing
from ganglion.report.inputs import ReportInput
from ganglion.report.parts import parts
from ganglion.report.words import SHARES, cell, metric, score

TEMPLATE = "table.html"
COLUMNS_OF_A_MISTAKE = 6


def context(result: ReportInput) -> dict[str, Any]:
    """What the template of this family needs beside the parts that every page has.

    Arguments: ``result`` of a table; empty parts give empty values, which the template leaves out.
    """
    return {
        **parts(result),
        "columns": [_column(one) for one in result.columns],
        "importance": importance(result),
        "mistakes": mistakes(result),
    }


def _column(column: Any) -> dict[str, Any]:
    take = column.get if isinstance(column, Mapping) else lambda key, other="": getattr(column, key, other)
    text = {key: take(key, "") for key in ("kind", "summary", "treatment")}
    return {"name": label(take("name", ""), 48), "missing": float(take("missing", 0.0) or 0.0), **text}


def importance(result: ReportInput) -> dict[str, Any] | None:
    """Bars of the most important columns."""
    if not result.importances:
        return None
    what = metric(result.importance_metric or result.main_metric)
    shown = min(12, len(result.importances))
    figure = drawing(
        plot_importance(list(result.importances), most=shown, metric=what),
        "Columns the predictions rest on",
        "How much worse the network gets when one column is shuffled, so that it tells nothing any more. "
        "Columns that say the same thing share their importance.",
        "importance",
    )
    first = sorted(result.importances, key=lambda one: -one[1])[:3]
    name = result.importance_metric or result.main_metric
    most = [(label(column, 40), _lost(mean, name)) for column, mean, _ in first if mean > 0]
    return {"figure": figure, "most": most, "shown": shown, "count": len(result.importances)}


def _lost(mean: float, name: str) -> str:
    return f"{100 * mean:.1f} points" if name in SHARES else score(mean, name)


def mistakes(result: ReportInput) -> dict[str, Any] | None:
    """The worst rows with the cells that matter most."""
    if not result.mistakes:
        return None
    rows = [one if isinstance(one, Mapping) else vars(one) for one in result.mistakes]
    known = list(rows[0].get("values") or {})
    ranked = [name for name, _, _ in sorted(result.importances, key=lambda one: -one[1]) if name in known]
    names = (ranked + [name for name in known if name not in set(ranked)])[:COLUMNS_OF_A_MISTAKE]
    table = [
        {
            "row": row.get("row"),
            "true": cell(row.get("true"), 32),
            "predicted": cell(row.get("predicted"), 32),
            "confidence": row.get("confidence"),
            "cells": [cell((row.get("values") or {}).get(name), 32) for name in names],
        }
        for row in rows
    ]
    heads = [label(clean(name), 20) for name in names]
    return {"rows": table, "names": heads, "left_out": len(known) - len(names), "ranked": bool(ranked)}
