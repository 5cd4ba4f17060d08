"""Using a model file on tables: predict, evaluate, and the result that a report is made from."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.base.errors import DataError, ModelFileError
from ganglion.base.files import read_model, write_atomically
from ganglion.data.columns import Frame
from ganglion.data.target import MISSING_LABELS, Task, encode_labels, infer_task, label_array
from ganglion.jobs.inputs import inputs_of
from ganglion.jobs.table import Job, named_targets, open_frame, target_columns

if TYPE_CHECKING:
    from ganglion.jobs.result import Result

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass
class Opened:
    """A model file: the estimator and what its card says."""

    estimator: Any
    card: dict[str, Any]
    path: Path

    @property
    def targets(self) -> list[str]:
        """The columns that it predicts."""
        return self.card.get("target") or ["prediction"]

    @property
    def target(self) -> str:
        """Their names."""
        return ", ".join(self.targets)

    @property
    def classes(self) -> list[Any] | None:
        """The labels, if it predicts classes."""
        return self.estimator.classes_.tolist() if hasattr(self.estimator, "classes_") else None


def open_model(path: Any) -> Opened:
    """The estimator and the card in a model file; raises ``ModelFileError``."""
    file = read_model(path)  # before anything heavy is imported
    from ganglion.estimators.persist import rebuild

    estimator = rebuild(file, path)
    if not hasattr(estimator, "predict"):
        raise ModelFileError(f"{path} holds a {type(estimator).__name__}, which predicts nothing.")
    return Opened(estimator, sound_card(file.card), Path(path))


def sound_card(card: dict[str, Any]) -> dict[str, Any]:
    """The parts of a file's card that are what they should be; a card decides nothing but words."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str)

    texts = {k: v for k in ("plan", "metric", "source", "created", "data_hash") if is_text(v := card.get(k))}
    lists = {k: v for k in ("target",) if isinstance(v := card.get(k), list) and all(map(is_text, v))}
    dicts = {k: v for k in ("settings",) if isinstance(v := card.get(k), dict)}
    models = card.get("models")
    network = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    scores = network.get("scores")
    scores = scores if isinstance(scores, dict) else {}
    numbers = {k: float(v) for k, v in scores.items() if isinstance(v, int | float) and abs(v) < 1e300}
    return {**texts, **lists, **dicts, "scores": numbers}


@dataclass
class Predictions:
    """What a model says of each row of a table."""

    names: list[str]
    columns: list[Sequence[Any]]
    differences: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns[0])

    def records(self) -> list[dict[str, Any]]:
        """A dict per row."""
        return [dict(zip(self.names, row)) for row in zip(*self.columns)]

    def csv(self) -> str:
        """As CSV; a text that a spreadsheet would run as a formula is quoted with an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([safe_cell(n) for n in self.names])
        writer.writerows([safe_cell(v) for v in row] for row in zip(*self.columns))
        return out.getvalue()

    def write(self, path: Path) -> None:
        """Write the CSV atomically."""
        write_atomically(path, self.csv().encode())


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet runs: texts that start like a formula get an apostrophe in front."""
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def open_like(opened: Opened, source: Any) -> Frame:
    """A table for a model: whether a file's first row holds names is judged by the names that the model knows."""
    names = getattr(opened.estimator, "feature_names_in_", None)
    if names is None or not (isinstance(source, str) or hasattr(source, "__fspath__")):
        return open_frame(source)
    if all(re.fullmatch(r"column_\d+", name) for name in names):
        return open_frame(source, header=False)
    table = open_frame(source)
    if set(names).isdisjoint(table.names) and all(n.startswith("column_") for n in table.names):
        first = [str(table.column(n)[0]) for n in table.names]
        return table if set(names).isdisjoint(first) else open_frame(source, header=True)
    return table


def predicted(opened: Opened, source: Any, *, proba: bool = False) -> Predictions:
    """Predictions for the rows of a table or file."""
    table, differences = inputs_of(opened.estimator, open_like(opened, source))
    estimator = opened.estimator
    answer = estimator.predict(table)
    answers = [answer] if answer.ndim == 1 else list(answer.T)
    targets = opened.targets if len(opened.targets) == len(answers) else range(1, len(answers) + 1)
    names, columns = [f"predicted {t}" for t in targets], [a.tolist() for a in answers]
    if proba and opened.classes is not None:
        chances = estimator.predict_proba(table)
        names += [f"probability of {c}" for c in opened.classes]
        columns += [c.round(6).tolist() for c in chances.T]
    elif proba:
        raise DataError("--proba needs a model that predicts classes; this one predicts numbers.")
    return Predictions(names, columns, differences)


@dataclass
class Evaluation:
    """Scores of a model on rows whose truth is known."""

    inputs: Frame
    truth: np.ndarray
    metric: str
    scores: dict[str, float]
    interval: tuple[float, float] | None
    differences: list[str]

    @property
    def n(self) -> int:
        """Rows with a known truth."""
        return len(self.truth)


def truth_of(opened: Opened, table: Frame, target: str | None) -> tuple[Frame, np.ndarray]:
    """Rows that have a target, and the target in the model's own labels."""
    targets = named_targets(table, target or opened.targets)
    if target and len(targets) != len(opened.targets):
        raise DataError(
            f"the model predicts {len(opened.targets)} columns, got {len(targets)} names for them."
        )
    missing = [t for t in targets if t not in table.names]
    if missing:
        raise DataError(
            f"the table has no column {missing[0]!r} to compare with; name the one it has with --target."
        )
    y = target_columns(table, targets)
    if opened.classes is None:
        task = infer_task(y, "regression")
        rows = np.flatnonzero(task.kept)
        return table.take(rows), task.encode(target_columns(table.take(rows), targets))
    kept, labels = read_labels(y, opened.classes)
    return table.take(kept), labels


def read_labels(y: Any, classes: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a label, and the labels as the model knows them; raises ``DataError`` for a strange one."""
    cells = [None if v is None or v != v else v for v in np.asarray(y, dtype=object).tolist()]
    gone = {None, *MISSING_LABELS}
    kept = np.array([i for i, v in enumerate(cells) if v not in gone], dtype=np.int64)
    if not len(kept):
        raise DataError("no row of the table has a target to compare with; give rows that have one.")
    codes = encode_labels(np.array([cells[i] for i in kept], dtype=object), classes)
    return kept, label_array(classes)[codes]


def evaluated(opened: Opened, source: Any, target: str | None = None) -> Evaluation:
    """Scores on a table or file that holds the truth."""
    from ganglion.evaluate import compare_scores

    table, y = truth_of(opened, open_like(opened, source), target)
    inputs, differences = inputs_of(opened.estimator, table)
    classes = opened.classes
    answer = opened.estimator.predict_proba(inputs) if classes else opened.estimator.predict(inputs)
    metric = opened.card.get("metric") or ("accuracy" if classes else "r2")
    row = compare_scores(y, {"network": answer}, metric, classes)[0]
    span = None if row.interval is None else (float(row.interval.low), float(row.interval.high))
    return Evaluation(inputs, y, metric, dict(row.scores), span, differences)


def result_on(opened: Opened, source: Any, target: str | None = None) -> "Result":
    """A result as the main job leaves it, for a model that is already there; all rows are test rows."""
    from ganglion.jobs.result import Result
    from ganglion.report.inputs import ModelScore

    found = evaluated(opened, source, target)
    n, y = found.n, found.truth
    kept = np.ones(n, dtype=bool)
    if opened.classes:
        kind = "binary" if len(opened.classes) == 2 else "multiclass"
        counts = [int(np.sum(y == label)) for label in opened.classes]
        task = Task(kind, opened.classes, counts, 1, kept, 0)
    else:
        outputs = 1 if y.ndim == 1 else y.shape[1]
        task = Task("regression" if outputs == 1 else "multioutput", [], [], outputs, kept, 0)
    job = Job(found.inputs, y, task, opened.targets, n, found.differences)
    rows = np.arange(n)
    result = Result(opened.estimator, job, opened.card.get("plan", ""), rows[:0], rows, [], found.metric)
    result.models = [ModelScore(name="network", scores=found.scores, interval=found.interval)]
    result.source, result.path = str(source), str(opened.path)
    result.origin = {k: opened.card[k] for k in ("source", "settings", "data_hash") if k in opened.card}
    return result
