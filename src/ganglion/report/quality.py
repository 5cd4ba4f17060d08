"""Which answers can be trusted: confusion and calibration of classes, or how far numbers are off."""

from typing import Any

import numpy as np

from ganglion.metrics.classification import class_table, confusion_table
from ganglion.metrics.labels import label_codes, probability_matrix
from ganglion.metrics.regression import output_table
from ganglion.plot import plot_calibration, plot_confusion, plot_residuals, plot_roc
from ganglion.plot.confusion import confusion_height
from ganglion.plot.style import new_axes
from ganglion.plot.text import label
from ganglion.report.drawing import drawing
from ganglion.report.inputs import ReportInput

OUTPUTS_DRAWN = 4


def quality(result: ReportInput) -> dict[str, Any]:
    """Confusion and calibration of classes, or how far numbers are off; other tasks have neither."""
    if result.task in ("forecast", "language", "translation"):
        return {}
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
        f"Probability {of} against how often it came true, in groups of equally many {result.unit}. On the dashed "
        "line the probabilities can be taken at their word."
    )
    return drawing(ax, "Can the probabilities be trusted?", caption, "calibration")


def _roc(result: ReportInput, y: np.ndarray, proba: np.ndarray, classes: list) -> dict[str, Any]:
    place = _positive(result, classes)
    ax = plot_roc(label_codes(y, classes) == place, proba[:, place], new_axes(4.8, confusion_height(2)))
    name = label(classes[place], 20)
    caption = (
        f"Every threshold for saying “{name}”: further up it finds more of these {result.unit}, further right it takes "
        "more of the others for them. The dashed line is a coin."
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
