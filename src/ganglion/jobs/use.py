"""Using a model file: predict, evaluate, and the result that a report is made from."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.base.files import write_atomically
from ganglion.data.target import Task
from ganglion.jobs.given import given
from ganglion.jobs.opened import Opened

if TYPE_CHECKING:
    from ganglion.jobs.result import Result

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


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


def predicted(
    opened: Opened, source: Any, *, proba: bool = False, image: str | None = None, horizon: int | None = None
) -> Predictions:
    """Predictions for the rows of a table, for pictures (a folder, files, a table's column ``image``), or for texts.

    What is no sound picture is named with its reason and does not stop the others. A forecaster tells ``horizon``
    times behind the end of a series, without one behind that of its training.
    """
    if opened.takes == "series":
        from ganglion.jobs.sequences.given import forecast_on

        told, notes = forecast_on(opened, source, horizon)
        return Predictions(list(told), list(told.values()), notes)
    if horizon is not None:
        raise DataError("--horizon belongs to a forecaster, but this model looks at rows; leave it out.")
    if isinstance(source, list) and not source:
        raise DataError("what to predict is expected behind the model, got nothing; name a file.")
    if proba and opened.classes is None:
        raise DataError("--proba needs a model that predicts classes; this one predicts numbers.")
    found, estimator = given(opened, source, image=image), opened.estimator
    chances = estimator.predict_proba(found.inputs) if proba else None
    if isinstance(chances, list):
        raise DataError("--proba needs one class a row, this model tells one a word; leave it out.")
    answer = (
        estimator.predict(found.inputs) if chances is None else estimator.classes_[chances.argmax(axis=1)]
    )
    answer = cells(answer) if isinstance(answer, list) else answer
    answers = [answer] if answer.ndim == 1 else list(answer.T)
    targets = opened.targets if len(opened.targets) == len(answers) else range(1, len(answers) + 1)
    columns = dict(found.names)
    columns |= {f"predicted {t}": found.spread(a.tolist()) for t, a in zip(targets, answers)}
    if chances is not None:
        of = {f"probability of {c}": p.round(6).tolist() for c, p in zip(opened.classes or [], chances.T)}
        columns |= {name: found.spread(column) for name, column in of.items()}
    if found.broken:
        columns["problem"] = [found.broken.get(i, "") for i in range(len(answer) + len(found.broken))]
    return Predictions(list(columns), list(columns.values()), found.notes)


def cells(answer: list[Any]) -> np.ndarray:
    """Texts (n,), or lists of words, one a row, as cells of a table: words with a blank between.

    Raises ``DataError`` for answers that no cell holds, such as boxes.

    >>> cells(["a text", ["NOUN", "VERB"]]).tolist()
    ['a text', 'NOUN VERB']
    """
    found = [" ".join(map(str, one)) if isinstance(one, list) else one for one in answer]
    strange = next((one for one in found if not isinstance(one, str)), None)
    if strange is not None:
        raise DataError(
            f"answers that fit into a cell of a table are expected, got {type(strange).__name__}; call predict of the "
            "loaded model from Python."
        )
    return np.array(found, dtype=object)


@dataclass
class Evaluation:
    """Scores of a model on examples whose truth is known."""

    n: int
    unit: str
    metric: str
    scores: dict[str, float]
    interval: tuple[float, float] | None
    notes: list[str]


def evaluated(
    opened: Opened, source: Any, target: str | None = None, *, image: str | None = None
) -> Evaluation:
    """Scores on a table or file, or on a folder of class folders, that holds the truth."""
    result = result_on(opened, source, target, image=image)
    network, job = result.models[0], result.job
    return Evaluation(len(job), job.unit, result.metric, dict(network.scores), network.interval, job.notes)


def result_on(
    opened: Opened, source: Any, target: str | None = None, *, image: str | None = None
) -> "Result":
    """A result as the main job leaves it, for a model that is already there; all rows are test rows."""
    result = (
        _of_answers(opened, source, target)
        if opened.answers_freely
        else _of_labels(opened, source, target, image)
    )
    result.source, result.path = str(source), str(opened.path)
    result.origin = {k: opened.card[k] for k in ("source", "settings", "data_hash") if k in opened.card}
    return result


def _of_answers(opened: Opened, source: Any, target: str | None) -> "Result":
    """Texts, tags and forecasts, each judged in its own way."""
    from ganglion.jobs.result import Result
    from ganglion.jobs.sequences.given import job_on

    job = job_on(opened, source, target)
    rows = np.arange(len(job))
    result = Result(opened.estimator, job, opened.card.get("plan", ""), rows[:0], rows, [], job.metric)
    job.judge(result, True, None)
    return result


def _of_labels(opened: Opened, source: Any, target: str | None, image: str | None) -> "Result":
    """Classes and numbers, of tables, pictures and texts."""
    from ganglion.evaluate import compare_scores
    from ganglion.jobs.result import Result
    from ganglion.report.inputs import ModelScore

    found = given(opened, source, image=image, target=target, truth=True)
    y, classes = np.asarray(found.truth), opened.classes
    job = found.job(y=y, task=task_of(y, classes), targets=opened.targets, n_read=len(y), notes=found.notes)
    rows = np.arange(len(y))
    metric = opened.card.get("metric") or ("accuracy" if classes else "r2")
    result = Result(opened.estimator, job, opened.card.get("plan", ""), rows[:0], rows, [], metric)
    answer = opened.estimator.predict_proba if classes else opened.estimator.predict
    result.answer = answer(found.inputs)
    result.models = [ModelScore.of(compare_scores(y, {"network": result.answer}, metric, classes)[0])]
    return result


def task_of(y: np.ndarray, classes: list[Any] | None) -> Task:
    """What a model that is there was asked for."""
    kept = np.ones(len(y), dtype=bool)
    if classes:
        kind = "binary" if len(classes) == 2 else "multiclass"
        return Task(kind, classes, [int(np.sum(y == label)) for label in classes], 1, kept, 0)
    outputs = 1 if y.ndim == 1 else y.shape[1]
    return Task("regression" if outputs == 1 else "multioutput", [], [], outputs, kept, 0)
