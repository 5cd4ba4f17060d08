"""The main job: data in; a trained, diagnosed network beside its baselines out."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.seeds import seed_from
from ganglion.data.split import MIN_VALIDATION, plain_split
from ganglion.jobs.job import Job, Split
from ganglion.jobs.result import Result
from ganglion.jobs.source import open_source
from ganglion.jobs.splits import split_job
from ganglion.jobs.words import plan_line
from ganglion.search.heal import Healed, heal

NETWORK_SHARE = 0.7  # of a time limit; the rest is for baselines and report
LEAST_SHARE = 0.3  # of a time limit, for training, however long reading took
INTERRUPTED = "training was interrupted: the best weights so far are kept, and the baselines left out"


def fit(
    source: Any,
    target: str | Sequence[str] | None = None,
    *,
    image: str | None = None,
    text: str | Sequence[str] = (),
    horizon: int | None = None,
    time_column: str | None = None,
    covariates: str | Sequence[str] = (),
    lines: bool = False,
    task: str | None = None,
    ignore: Sequence[str] = (),
    header: bool | None = None,
    **options: Any,
) -> Result:
    """Learn from a table, pictures, texts or a series, with everything inferred that is not given.

    Arguments:
        source: a path (CSV, TSV, Parquet, JSON lines) or a table of pandas, polars, Arrow, or a dict of columns; a
            folder of pictures in folders named after their classes; a ``.txt`` file, to learn what comes next in it; or
            a file of tagged words (``.conllu``, ``.conll``, ``.bio``).
        target: the column to predict, or several number columns; none for a folder or a text. Of a table of texts it is
            their class, another text to be written for each, or a tag for each word.
        image: the column that holds paths of pictures, from the table's folder on; the network then looks at these.
        text: the columns that hold texts; free texts are found where they are what the table is about.
        horizon: times to forecast; the target's values in the order of ``time_column`` are then a series.
        time_column: the column of times; without a horizon the last rows by it form the test.
        covariates: columns that help to forecast and are known ahead.
        lines: whether each line of a ``.txt`` file is a text of its own.
        task: ``"classification"`` or ``"regression"`` to decide it yourself.
        ignore: columns to leave out.
        header: whether the file's first row holds names; found out if not given.
        options: those of ``fit_job`` (``model``, ``test_fraction``, ``group``, ``time_limit``, ``heal_first``,
            ``compare``) and the parameters of the estimator: ``MLPClassifier`` or ``MLPRegressor`` for tables,
            ``CNNClassifier`` or what ``model`` names for pictures, ``TextClassifier``, ``Translator``,
            ``TokenTagger``, ``LanguageModel`` for texts, ``Forecaster`` for series.

    Returns a ``Result``. Raises ``GanglionError`` for data or a parameter that cannot be used.

    >>> rows = {"x": list(range(100)), "big": [i > 50 for i in range(100)]}
    >>> fit(rows, "big", max_epochs=20, compare=False).scores["accuracy"] > 0.8
    True
    """
    texts, beside = ([one] if isinstance(one, str) else list(one) for one in (text, covariates))
    job = open_source(
        source, target, image=image, text=texts, horizon=horizon, time_column=time_column, covariates=beside,
        lines=lines, task=task, ignore=ignore, header=header,
    )  # fmt: skip
    result = fit_job(job, time_column=time_column if horizon is None else None, **options)
    result.source = str(source) if isinstance(source, str) or hasattr(source, "__fspath__") else ""
    return result


def fit_job(
    job: Job,
    *,
    model: str | None = None,
    test_fraction: float = 0.2,
    group: str | None = None,
    time_column: str | None = None,
    time_limit: float | None = None,
    heal_first: bool = False,
    compare: bool = True,
    say: Callable[[str], None] | None = None,
    stage: Callable[[str], None] | None = None,
    **parameters: Any,
) -> Result:
    """Split, train, heal if asked, compare with baselines, judge.

    Arguments:
        job: what ``open_source`` found.
        model: which network: ``"mlp"`` for tables; ``"cnn"`` or ``"resnet"`` for pictures; of texts and series the
            parameter ``cell`` or ``network`` says it.
        test_fraction: share of rows kept aside for the scores.
        group: a column whose values are never parted between training and test; it is no input.
        time_column: a column by which the last rows form the test.
        time_limit: seconds for the whole job, from the moment the data were opened.
        heal_first: apply the first remedy that parameters can carry, train again, keep the better network.
        compare: train the dummy, linear and boosted-tree baselines on the same rows.
        say: called with the plan line before training, and with what healing is about to do.
        stage: called with a few words when something begins that takes a while.
        parameters: of the estimator.

    Ctrl-C ends the training with the best weights so far; the result then says so and has no baselines.
    """
    say, stage = say or silent, stage or silent
    for name, value, sound in (
        ("test_fraction", test_fraction, 0 < test_fraction < 1),
        ("time_limit", time_limit, time_limit is None or 0 < time_limit < float("inf")),
    ):
        if not sound:
            span = "a share between 0 and 1" if name == "test_fraction" else "seconds, more than 0"
            raise ParameterError(f"{name} must be {span}, got {value}.")
    estimator = job.estimator(model, parameters)
    job.read(estimator, stage)
    seed = seed_from(estimator.random_state or 0)
    train, test, rule = split_job(job, test_fraction, seed, group=group, time=time_column)
    check_split(job, train, test)
    if group is not None:
        job.without(group)
    limit = None
    if time_limit is not None:
        left = max(time_limit - (time.monotonic() - job.started), time_limit * LEAST_SHARE)
        limit = estimator.time_limit = left * NETWORK_SHARE / (2 if heal_first else 1)
    line = plan_line(job, estimator, len(train))
    say(line)
    healed = learn(estimator, job, train, rule, limit, heal_first=heal_first, say=say)
    estimator = healed.estimator if healed is not None else estimator
    asked = {"model": model, "test_fraction": test_fraction if test_fraction != 0.2 else None, "group": group,
             "time_column": time_column, "time_limit": time_limit, "heal_first": heal_first or None}  # fmt: skip
    given = {k: v for k, v in parameters.items() if k not in ("verbose", "checkpoint", "resume")}
    settings = job.settings | {k: v for k, v in asked.items() if v is not None} | given
    result = Result(estimator, job, line, train, test, [], job.metric, healed, settings=settings)
    if interrupted(result):
        job.notes.append(INTERRUPTED)
        compare = False
    rest = None if time_limit is None else max(0.5, time_limit - (time.monotonic() - job.started)) * 0.6
    stage("scoring the network" + (", training the baselines" if compare else ""))
    try:
        job.judge(result, compare, rest)
    except KeyboardInterrupt:  # what was trained is not lost
        job.notes.append("the baselines were interrupted and left out")
        job.judge(result, False, rest)
    result.seconds = time.monotonic() - job.started
    return result


def check_split(job: Job, train: np.ndarray, test: np.ndarray) -> None:
    """Refuse training rows of one class, and note classes that only the test rows hold."""
    if not job.task.classification:
        return
    known, met = (set(job.y[rows].tolist()) for rows in (train, test))
    if len(known) < 2:
        raise DataError(
            f"the {job.unit} to train on hold only the class {str(next(iter(known)))[:40]!r}; "
            f"split them by another column, or give more {job.unit}."
        )
    if met - known:
        few = ", ".join(repr(label)[:40] for label in sorted(met - known, key=str)[:3])
        job.notes.append(f"only the test {job.unit} hold the class {few}, so the network cannot know it")


def learn(
    estimator: Any,
    job: Job,
    train: np.ndarray,
    rule: Split | None,
    limit: float | None,
    *,
    heal_first: bool,
    say: Callable[[str], None],
) -> Healed | None:
    """Train, and heal if asked; the rows that choose the epoch are kept aside by the rule of the test rows."""
    X, y, settings = job.take(train), job.goal(train), {"time_limit": limit} if limit else {}
    held = None if rule is None else held_by(rule, train, estimator)
    if (
        rule is not None and held is None
    ):  # so few, or none wanted: then healing splits none off by chance either
        settings["validation_fraction"] = estimator.validation_fraction
    estimator.fit(X, y, **({} if held is None else {"validation": held}))
    if not heal_first or estimator.record_.stopped == "interrupt":
        return None
    return heal(estimator, X, y, validation=held, settings=settings, say=say)


def held_by(rule: Split, train: np.ndarray, estimator: Any) -> np.ndarray | None:
    """Which of the training rows a rule keeps aside, as truth values, unless they are too few to choose an epoch."""
    n, fraction = len(train), estimator.validation_fraction
    if round(n * fraction) < MIN_VALIDATION:
        return None
    seed = seed_from(estimator.random_state or 0)
    try:
        held = rule(train, fraction, seed)[1]
    except DataError:  # one group or one moment is left
        held = plain_split(n, fraction, seed)[1]
    return np.isin(np.arange(n), held)


def silent(text: str) -> None:
    """Say nothing."""


def interrupted(result: Result) -> bool:
    """Whether Ctrl-C ended the training."""
    return "interrupt" in (
        result.estimator.record_.stopped,
        "" if result.healed is None else result.healed.stopped,
    )
