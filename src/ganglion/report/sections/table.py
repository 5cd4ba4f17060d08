"""The page of a network trained on a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from ganglion.metrics.classification import class_table, confusion_table
from ganglion.metrics.labels import label_codes, probability_matrix
from ganglion.metrics.regression import output_table
from ganglion.plot import (
    plot_calibration,
    plot_confusion,
    plot_history,
    plot_importance,
    plot_layers,
    plot_residuals,
    plot_roc,
    plot_scores,
    to_svg,
)
from ganglion.plot.confusion import confusion_height
from ganglion.plot.style import new_axes
from ganglion.plot.text import clean, label
from ganglion.plot.training import plot_noise, readings
from ganglion.report.inputs import ReportInput
from ganglion.report.verdict import against
from ganglion.report.words import METRICS, SHARES, STOPPED, capital, cell, metric, model, score, seconds

TEMPLATE = "table.html"
COLUMNS_OF_A_MISTAKE = 6
OUTPUTS_DRAWN = 4


def context(result: ReportInput) -> dict[str, Any]:
    """What the template of this family needs beside the parts that every page has.

    Arguments: ``result`` of a table; empty parts give empty values, which the template leaves out.
    """
    return {
        "comparison": comparison(result),
        "columns": [_column(one) for one in result.columns],
        "curves": curves(result),
        "training": training_facts(result),
        "quality": quality(result),
        "importance": importance(result),
        "mistakes": mistakes(result),
        "layers": layers(result),
    }


def drawing(ax: Axes, title: str, caption: str, name: str) -> dict[str, Any]:
    """A figure of the page: its SVG, its heading and how to read it."""
    return {"title": title, "caption": caption, "svg": Markup(to_svg(ax, title, caption, name=name))}  # noqa: S704


def comparison(result: ReportInput) -> dict[str, Any]:
    """The table of all scores, and the figure of the main one."""
    present = [name for name in METRICS if any(name in one.scores for one in result.models)]
    main = result.main_metric
    present.sort(key=lambda name: name != main)
    rows = [
        {
            "name": model(one.name),
            "scores": [(name, one.scores.get(name)) for name in present],
            "interval": one.interval,
            "seconds": None if one.seconds is None else seconds(one.seconds),
            "note": one.note,
        }
        for one in result.models
    ]
    drawn = {model(one.name): one.scores[main] for one in result.models if main in one.scores}
    intervals = {model(one.name): one.interval for one in result.models if one.interval}
    figure = None
    if len(drawn) > 1:
        title = capital(metric(main))
        figure = drawing(
            plot_scores(
                drawn,
                intervals,
                new_axes(4.8, 0.85 + 0.4 * len(drawn)),
                metric=metric(main),
                percent=main in SHARES,
            ),
            title,
            "Each dot is the score, each line the range that holds the true score with 95% probability.",
            "scores",
        )
    heads = [(name, metric(name), METRICS[name][1]) for name in present]
    return {"rows": rows, "heads": heads, "figure": figure, "main": main, "against": against(result)}


def _column(column: Any) -> dict[str, Any]:
    take = column.get if isinstance(column, Mapping) else lambda key, other="": getattr(column, key, other)
    text = {key: take(key, "") for key in ("kind", "summary", "treatment")}
    return {"name": label(take("name", ""), 48), "missing": float(take("missing", 0.0) or 0.0), **text}


def curves(result: ReportInput) -> list[dict[str, Any]]:
    """Learning curves of the loss and, where there is one, of the score."""
    record = result.record
    if not record.history:
        return []
    found = [
        drawing(
            plot_history(record, new_axes(4.8, 2.9)),
            "Loss per epoch",
            "Both lines should fall. Where validation turns up while training still falls, the network "
            "starts to learn the rows by heart.",
            "loss",
        )
    ]
    if any(row.get("val_score") is not None for row in record.history):
        what = "R²" if result.task == "regression" else "accuracy"
        found.append(
            drawing(
                plot_history(record, new_axes(4.8, 2.9), quantity="score"),
                f"Score per epoch ({what})",
                "Higher is better. The dashed line is the epoch whose weights were kept.",
                "score",
            )
        )
    return found


def training_facts(result: ReportInput) -> dict[str, Any]:
    """How training went, in a sentence and in numbers, and the settings in force."""
    record, sentence = result.record, ""
    if record.history:
        sentence = f"Training ended because {STOPPED.get(record.stopped, record.stopped)}."
        if record.best_epoch:
            sentence += f" The weights of epoch {record.best_epoch}, the best one, were kept."
    facts = {
        "epochs": len(record.history) or None,
        "steps": record.history[-1].get("step") if record.history else None,
        "time": seconds(record.seconds) if record.seconds else None,
        "weights to learn": record.data.get("n_parameters"),
    }
    shown = {key: value for key, value in facts.items() if value is not None}
    settings, plan = dict(record.settings), dict(record.plan)
    return {"sentence": sentence, "facts": shown, "settings": settings, "plan": plan}


def quality(result: ReportInput) -> dict[str, Any]:
    """Confusion and calibration of classes, or how far numbers are off."""
    if result.y_true is None or not len(result.y_true):
        return {}
    return _of_numbers(result) if result.task == "regression" else _of_classes(result)


def _of_classes(result: ReportInput) -> dict[str, Any]:
    classes, y = list(result.classes), np.asarray(result.y_true)
    figures, proba, said = [], None, result.prediction
    if result.proba is not None:
        proba = probability_matrix(result.proba, len(classes))
        said = np.asarray(classes)[proba.argmax(axis=1)] if said is None else said
    if said is None:
        return {}
    table = confusion_table(y, said, classes)
    figures.append(
        drawing(
            plot_confusion(table, classes),
            "Which class is taken for which",
            "A row is what is true, a column what was said. The diagonal is right; any other strong cell "
            "is a mistake that happens often.",
            "confusion",
        )
    )
    if proba is not None:
        figures.append(_calibration(result, y, proba, classes))
        if len(classes) == 2:
            figures.append(_roc(result, y, proba, classes))
    rows = [{**row, "label": label(row["label"], 40)} for row in class_table(y, said, classes)]
    return {"figures": figures, "classes": rows, "outputs": []}


def _calibration(result: ReportInput, y: np.ndarray, proba: np.ndarray, classes: list) -> dict[str, Any]:
    codes = label_codes(y, classes)
    if len(classes) == 2:
        place = _positive(result, classes)
        outcome, promised = codes == place, proba[:, place]
        of = f"of “{label(classes[place], 20)}”"
    else:
        outcome, promised, of = proba.argmax(axis=1) == codes, proba.max(axis=1), "of the predicted class"
    ax = plot_calibration(outcome, promised, new_axes(4.8, confusion_height(len(classes))))
    caption = (
        f"Probability {of} against how often it came true, in groups of equally many rows. On the dashed line "
        "the probabilities can be taken at their word."
    )
    return drawing(ax, "Can the probabilities be trusted?", caption, "calibration")


def _roc(result: ReportInput, y: np.ndarray, proba: np.ndarray, classes: list) -> dict[str, Any]:
    place = _positive(result, classes)
    ax = plot_roc(label_codes(y, classes) == place, proba[:, place], new_axes(4.8, confusion_height(2)))
    name = label(classes[place], 20)
    caption = (
        f"Every threshold for saying “{name}”: further up it finds more of these rows, further right it takes more "
        "of the others for them. The dashed line is a coin."
    )
    return drawing(ax, f"How well “{name}” is ranked (ROC curve)", caption, "roc")


def _positive(result: ReportInput, classes: list) -> int:
    """The place of the class that two-class figures are about."""
    return 1 if result.positive is None else int(label_codes([result.positive], classes)[0])


def _of_numbers(result: ReportInput) -> dict[str, Any]:
    y = np.asarray(result.y_true, dtype=float)
    said = np.asarray(result.prediction, dtype=float)
    y, said = y.reshape(len(y), -1), said.reshape(len(said), -1)
    names = (
        result.targets
        if len(result.targets) == y.shape[1]
        else [f"output {i + 1}" for i in range(y.shape[1])]
    )
    figures = []
    for i, name in enumerate(names[:OUTPUTS_DRAWN]):
        title = "True against predicted" if len(names) == 1 else f"{label(name, 40)}: true against predicted"
        ax = plot_residuals(y[:, i], said[:, i], new_axes(4.8, 3.2))
        figures.append(
            drawing(ax, title, "Every dot is a row; on the dashed line it is right.", f"values{i}")
        )
    if len(names) == 1:
        ax = plot_residuals(y[:, 0], said[:, 0], new_axes(4.8, 3.2), kind="sizes")
        caption = "How often which error occurs; the farthest 1% on each side stand in the outermost bars."
        figures.append(drawing(ax, "Size of the errors", caption, "sizes"))
    rows = output_table(y, said, [label(name, 40) for name in names]) if len(names) > 1 else []
    drawn = min(len(names), OUTPUTS_DRAWN)
    return {"figures": figures, "classes": [], "outputs": rows, "drawn": drawn, "count": len(names)}


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


def layers(result: ReportInput) -> list[dict[str, Any]]:
    """The learning signal per layer, how fast each layer changes, and how much of a step is chance."""
    record = result.record
    parts = [
        (
            "grad_norm",
            "Learning signal per layer",
            "Layers are named from the input to the output. Lines close together are good: every layer is told "
            "what to change. A line far below the others belongs to a layer that hardly learns.",
        ),
        (
            "update_ratio",
            "Change per step, relative to the weights",
            "As a rule of thumb 0.001 is usual; far more is unsteady, far less is slow.",
        ),
    ]
    found = [
        drawing(plot_layers(record, new_axes(4.8, 3.2), quantity=key), title, caption, f"layers-{key}")
        for key, title, caption in parts
        if any(row.get(key) is not None for row in record.layers)
    ]
    if len(readings(record, "noise", "noise_scale", "batch_size")[0]) > 1:
        caption = (
            "At a batch as large as the noise scale, chance weighs as much in a step as what all rows agree on. Far "
            "smaller batches mostly follow chance, which is usual late in training; far larger ones save no steps."
        )
        found.append(drawing(plot_noise(record, new_axes(4.8, 3.2)), "Chance in the steps", caption, "noise"))
    return found
