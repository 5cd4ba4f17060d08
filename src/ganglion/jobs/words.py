"""What the main job says: the plan line before training, and the lines after it."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganglion.data.schema import describe
from ganglion.jobs.table import Job

STEP_SECONDS = 7e-5  # calls of one small step, measured on one core
FLOPS_PER_SECOND = 5e10  # of one core's dense products, forwards and backwards


def plan_line(job: Job, estimator: Any, n_train: int) -> str:
    """One line on what was inferred and what will be done.

    For example ``48,842 rows x 14 columns, 8 categorical, 6,465 missing -> binary classification,
    classes 3:1 -> MLP, about 20 s``.
    """
    schema = job.schema
    facts = describe(schema, len(job.frame))
    used = [c for c in schema if c.used]
    parts = [f"{len(job.frame):,} rows × {len(schema)} columns"]
    parts += [facts] if facts else []
    seconds = guess_seconds(estimator, n_train, len(used))
    limit = estimator.time_limit
    about = f"about {round_seconds(min(seconds, limit) if limit else seconds)}"
    return f"{', '.join(parts)} -> {task_words(job)} -> MLP, {about}"


def column_notes(job: Job, most: int = 3) -> list[str]:
    """A sentence per column that is left out or was read with a doubt, the first few of them."""
    out = [(c.name, c.note.removesuffix(", so it is left out")) for c in job.schema if not c.used and c.note]
    left = [f"column {name!r} is left out: {note}" for name, note in out]
    doubts = [f"column {c.name!r}: {c.note}" for c in job.schema if c.used and c.note]
    lines = left[:most] + doubts[:most]
    rest = len(left) + len(doubts) - len(lines)
    return lines + ([f"{rest:,} more such columns stand in the report"] if rest else [])


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
    from ganglion.train.plan import auto_batch_size  # brings torch

    sizes = estimator.hidden_layer_sizes
    widths = [4 * columns, *((sizes,) if isinstance(sizes, int) else sizes), 4]
    flops = 6.0 * n * sum(a * b for a, b in itertools.pairwise(widths))
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
        text = f"{'-' if value is None else number(value, 4):>9}"
        span = "" if row.interval is None else f"  ({number(row.interval[0])} to {number(row.interval[1])})"
        lines.append(f"  {row.name:<{width}}  {text}{span}")
    return lines


def number(value: float, digits: int = 3) -> str:
    """A score short enough for a line.

    >>> number(0.12345), number(123.456), number(1234567.8)
    ('0.123', '123.5', '1,234,568')
    """
    if abs(value) >= 1e12:
        return f"{value:.3e}"
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else f"{value:.1f}"
        if abs(value) >= 100
        else f"{value:.{digits}f}"
    )


def verdict_lines(findings: Sequence[Any], estimator: Any = None) -> list[str]:
    """Each finding with its remedy, in sentences, and the flags that apply it where ``estimator`` has some."""
    lines = []
    for finding in findings:
        where = f" ({finding.where})" if finding.where else ""
        lines.append(f"{finding.severity}: {finding.name.replace('_', ' ')}{where}. {finding.meaning}")
        asks = finding.severity in ("error", "warning")
        if asks and finding.remedy is not None and finding.remedy.sentence:
            lines.append(f"  remedy: {finding.remedy.sentence}")
            if estimator is not None and (change := estimator.remedy(finding)):
                lines.append(f"  to apply: {flags(change)}")
    return lines


def flags(parameters: dict[str, Any]) -> str:
    """Parameters as the command takes them.

    >>> flags({"lr": 0.01, "hidden_layer_sizes": (64, 64), "early_stopping": True, "class_weight": "balanced"})
    '--lr 0.01 --hidden-layer-sizes 64,64 --early-stopping --balanced'
    """
    return " ".join(flag(name, value) for name, value in parameters.items())


def flag(name: str, value: Any) -> str:
    """One parameter or option of the main job as the command takes it."""
    own = {"random_state": "seed", "time_column": "time", "heal_first": "heal"}
    word = "--" + own.get(name, name).replace("_", "-")
    if name == "class_weight" and value == "balanced":
        return "--balanced"
    if isinstance(value, bool):
        return word if value else f"--no-{word[2:]}"
    if isinstance(value, tuple | list):
        return f"{word} {quoted(','.join(map(str, value)))}"
    text = f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
    return f"{word} {quoted(text)}"


def quoted(text: str) -> str:
    """A word for a shell."""
    plain = text and all((c.isascii() and c.isalnum()) or c in "._-,/" for c in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"


def stem(path: str) -> str:
    """A file's name without the endings of tables."""
    name = Path(path).name
    for ending in (".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json"):
        name = name.removesuffix(ending)
    return name or "model"
