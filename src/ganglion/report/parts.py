"""What the pages of all networks show: scores beside baselines, curves, settings, layers."""

from typing import Any

from ganglion.base.record import TrainingRecord
from ganglion.plot import plot_history, plot_layers, plot_scores
from ganglion.plot.style import new_axes
from ganglion.plot.training import plot_noise, readings
from ganglion.report.drawing import drawing
from ganglion.report.inputs import ReportInput
from ganglion.report.quality import quality
from ganglion.report.verdict import against
from ganglion.report.words import (
    HUNDREDS,
    LOWER_IS_BETTER,
    METRICS,
    SHARES,
    STOPPED,
    capital,
    metric,
    model,
    seconds,
)

SCORED = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "R²",
    "forecast": "skill: 1 − MSE / MSE of the naive forecast",
    "tagging": "right tags",
}
"""Task -> the score that is measured after every epoch."""


def parts(result: ReportInput) -> dict[str, Any]:
    """What the templates of every network need; empty parts give empty values, which they leave out."""
    return {
        "comparison": comparison(result),
        "curves": curves(result),
        "training": training_facts(result),
        "quality": quality(result),
        "layers": layers(result),
    }


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
                hundreds=main in HUNDREDS,
            ),
            title,
            "Each dot is the score, each line the range that holds the true score with 95% probability."
            if intervals
            else f"Each dot is the score; {'lower' if main in LOWER_IS_BETTER else 'higher'} is better.",
            "scores",
        )
    heads = [(name, metric(name), METRICS[name][1].replace("rows", result.unit)) for name in present]
    return {"rows": rows, "heads": heads, "figure": figure, "main": main, "against": against(result)}


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
            f"starts to learn the {result.unit} by heart.",
            "loss",
        )
    ]
    if _scored(record):
        what = SCORED.get(result.task)
        found.append(
            drawing(
                plot_history(record, new_axes(4.8, 2.9), quantity="score"),
                f"Score per epoch ({what})" if what else "Score per epoch",
                "Higher is better. The dashed line is the epoch whose weights were kept.",
                "score",
            )
        )
    return found


def _scored(record: TrainingRecord) -> bool:
    """Whether epochs have a score that tells more than minus the loss."""
    rows = [row for row in record.history if row.get("val_score") is not None]
    return any(row.get("val_loss") is None or row["val_score"] != -row["val_loss"] for row in rows)


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
