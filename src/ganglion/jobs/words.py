"""What the main job says: the plan line before training, and the lines after it."""

from collections.abc import Sequence
from typing import Any

from ganglion.jobs.job import Job
from ganglion.jobs.shell import flags


def plan_line(job: Job, estimator: Any, n_train: int) -> str:
    """One line on what was inferred and what will be done.

    For example ``48,842 rows x 14 columns, 8 categorical, 6,465 missing -> binary classification,
    classes 3:1 -> MLP, about 20 s``.
    """
    seconds, limit = job.seconds(estimator, n_train), estimator.time_limit
    about = f"about {round_seconds(min(seconds, limit) if limit else seconds)}"
    network = type(estimator).__name__.removesuffix("Classifier").removesuffix("Regressor")
    return f"{job.facts()} -> {job.aim()} -> {network}, {about}"


def doubt_lines(job: Job, most: int = 3) -> list[str]:
    """Sentences on inputs that are left out or were read with a doubt, the first few of each kind."""
    kinds = job.doubts()
    lines = [line for kind in kinds for line in kind[:most]]
    rest = sum(map(len, kinds)) - len(lines)
    return lines + ([f"{rest:,} more such notes stand in the report"] if rest else [])


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
