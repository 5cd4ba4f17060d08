"""What the main job says: the plan line before training, and the lines after it."""

from collections.abc import Sequence
from typing import Any

from ganglion.data.schema import describe, infer_schema
from ganglion.jobs.table import Job
from ganglion.train.plan import auto_batch_size

STEP_SECONDS = 7e-5  # calls of one small step, measured on one core
FLOPS_PER_SECOND = 5e10  # of one core's dense products, forwards and backwards


def plan_line(job: Job, estimator: Any, n_train: int) -> str:
    """One line on what was inferred and what will be done.

    For example ``48,842 rows x 14 columns, 8 categorical, 6,465 missing -> binary classification,
    classes 3:1 -> MLP, about 20 s``.
    """
    schema = infer_schema(job.frame)
    facts = describe(schema, len(job.frame))
    used = [c for c in schema if c.used]
    parts = [f"{len(job.frame):,} rows × {len(schema)} columns"]
    parts += [facts] if facts else []
    seconds = guess_seconds(estimator, n_train, len(used))
    limit = estimator.time_limit
    about = f"about {round_seconds(min(seconds, limit) if limit else seconds)}"
    return f"{', '.join(parts)} -> {task_words(job)} -> MLP, {about}"


def task_words(job: Job) -> str:
    """The task in words."""
    task = job.task
    if task.kind == "binary":
        return f"binary classification, classes {class_ratio(task.counts)}"
    if task.kind == "multiclass":
        return f"classification into {len(task.classes)} classes"
    return "regression" if task.n_outputs == 1 else f"regression of {task.n_outputs} targets"


def class_ratio(counts: Sequence[int]) -> str:
    """The ratio of two classes, the larger first, such as ``3:1``."""
    large, small = max(counts), max(min(counts), 1)
    ratio = large / small
    return f"{ratio:.0f}:1" if ratio >= 1.95 or ratio < 1.05 else f"{ratio:.1f}:1"


def guess_seconds(estimator: Any, n: int, columns: int) -> float:
    """How long training may take, by counting steps and products; early stopping makes it shorter."""
    sizes = estimator.hidden_layer_sizes
    widths = [4 * columns, *((sizes,) if isinstance(sizes, int) else sizes), 4]
    flops = 6.0 * n * sum(a * b for a, b in zip(widths, widths[1:], strict=False))
    batch = auto_batch_size(n) if estimator.batch_size == "auto" else n
    batch = estimator.batch_size if isinstance(estimator.batch_size, int) else batch
    return estimator.max_epochs * (n / batch * STEP_SECONDS + flops / FLOPS_PER_SECOND) + 1.0


def round_seconds(seconds: float) -> str:
    """A duration in round words."""
    if seconds < 90:
        return f"{max(1, round(seconds)) if seconds < 20 else round(seconds / 5) * 5} s"
    return f"{seconds / 60:.0f} min"


def score_lines(rows: Sequence[Any], metric: str) -> list[str]:
    """The network beside its baselines, a line each, aligned."""
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        value = row.scores.get(metric)
        text = "      -" if value is None else f"{value:>9.4g}" if abs(value) >= 100 else f"{value:>9.4f}"
        span = "" if row.interval is None else f"  ({number(row.interval[0])} to {number(row.interval[1])})"
        lines.append(f"  {row.name:<{width}}  {text}{span}")
    return lines


def number(value: float) -> str:
    """A score short enough for a line."""
    return f"{value:.4g}" if abs(value) >= 100 else f"{value:.3f}"


def verdict_lines(findings: Sequence[Any]) -> list[str]:
    """Each finding with its remedy, in sentences."""
    lines = []
    for finding in findings:
        where = f" ({finding.where})" if finding.where else ""
        lines.append(f"{finding.severity}: {finding.name.replace('_', ' ')}{where}. {finding.meaning}")
        if finding.remedy is not None and finding.remedy.sentence:
            lines.append(f"  remedy: {finding.remedy.sentence}")
    return lines
