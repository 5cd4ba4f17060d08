"""New texts, sentences and series for a model that is there: to be answered, or with their truth to judge it."""

from functools import partial
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.decode import shown
from ganglion.jobs.given import Given, read_labels
from ganglion.jobs.job import Job
from ganglion.jobs.opened import Opened
from ganglion.jobs.sequences.forecast import ForecastJob, moment_text, open_series
from ganglion.jobs.sequences.look import texts_in
from ganglion.jobs.sequences.reading import ending, is_file, new_texts
from ganglion.jobs.sequences.tagged import is_tagged, new_sentences, open_tagged, tag_job
from ganglion.jobs.table import check_column, open_frame


def given_words(opened: Opened, source: Any, *, target: str | None, truth: bool) -> Given:
    """Texts or sentences as the model takes them; with ``truth`` the classes of a table of texts."""
    source = source[0] if isinstance(source, list) and len(source) == 1 and is_file(source[0]) else source
    if opened.takes == "sentences":
        return Given(new_sentences(source, opened.texts), None, [], Job, "sentences")
    if not truth:
        texts, table = new_texts(source, opened.texts)
        return Given(texts, None, [] if table is None else table.notes, Job, "texts")
    from ganglion.jobs.sequences.texts import TextJob

    table, target = open_frame(source), target or opened.target
    check_column(target, table)
    kept, y = read_labels(table.stored(target), opened.classes or [])
    notes = list(table.notes)
    if len(kept) < len(table):
        notes.append(f"{len(table) - len(kept):,} rows without a target were left out")
    part = table.take(kept)
    names = text_columns(opened, part.names, target)
    texts = texts_in(part, names)
    return Given(texts, y, notes, partial(TextJob, texts=texts, names=names, beside=part), "texts")


def text_columns(opened: Opened, known: list[str], target: str) -> list[str]:
    """The columns of texts: those of training, or the only one beside the target."""
    rest = [name for name in known if name != target]
    return rest if len(rest) == 1 and not set(opened.texts) <= set(known) else opened.texts


def job_on(opened: Opened, source: Any, target: str | None) -> Job:
    """The job of new data with their truth, for models whose answers are texts, tags or series."""
    kind = type(opened.estimator).__name__
    makers = {
        "Translator": pairs_on,
        "TokenTagger": tags_on,
        "LanguageModel": corpus_on,
        "Forecaster": series_on,
    }
    if kind not in makers:
        raise DataError(
            f"a {kind} is judged from Python alone, by score(texts); its answers come by predict."
        )
    return makers[kind](opened, source, target)


def pairs_on(opened: Opened, source: Any, target: str | None) -> Job:
    """Pairs of texts in the columns of training."""
    from ganglion.jobs.sequences.pairs import pair_job

    table, target = open_frame(source), target or opened.target
    check_column(target, table)
    names = text_columns(opened, table.names, target)
    pairs = [pair for pair in zip(texts_in(table, names), texts_in(table, [target])) if all(pair)]
    if not pairs:
        raise DataError("pairs of texts are expected to compare with, got none; give rows that have both.")
    more = {"beside": table, "n_read": len(table), "notes": list(table.notes)}
    return pair_job([one for one, _ in pairs], [one for _, one in pairs], names, target, **more)


def tags_on(opened: Opened, source: Any, target: str | None) -> Job:
    """Sentences of a file of tagged words, or of a table with a tag for each word."""
    if is_tagged(source):
        return open_tagged(source)
    table, target = open_frame(source), target or opened.target
    check_column(target, table)
    names = text_columns(opened, table.names, target)
    rows = [
        (text.split(), tags.split()) for text, tags in zip(texts_in(table, names), texts_in(table, [target]))
    ]
    fit = [(words, tags) for words, tags in rows if words and len(words) == len(tags)]
    if not fit:
        raise DataError(
            f"a tag for each word is expected in {target!r}, got no row that has them; mend the table."
        )
    more = {"beside": table, "n_read": len(table), "notes": list(table.notes)}
    return tag_job([words for words, _ in fit], [tags for _, tags in fit], names, target, **more)


def corpus_on(opened: Opened, source: Any, target: str | None) -> Job:
    """A text file, or the texts of a table, read as in training."""
    from ganglion.jobs.sequences.corpus import corpus_of, open_corpus

    settings = opened.card.get("settings", {})
    if not (is_file(source) and ending(source) == ".txt"):
        return corpus_of([one for one in new_texts(source, opened.texts)[0] if one], each=True)
    return open_corpus(source, each=bool(settings.get("lines")))


def series_on(opened: Opened, source: Any, target: str | None) -> Job:
    """A series with the columns of training, long enough to be judged by."""
    job, model = series_of(opened, source, target), opened.estimator
    least = model.lookback_ + 2 * model.horizon
    if len(job) < least:
        raise DataError(
            f"at least {least} times are needed to judge this forecaster, but "
            f"{shown(source)} has {len(job)}; give more."
        )
    return job


def series_of(opened: Opened, source: Any, target: str | None = None) -> ForecastJob:
    """A series with the columns of training."""
    model = opened.estimator
    if model.time is None:
        raise DataError("this forecaster learned from an array without times; use it from Python.")
    beside = [model.covariates] if isinstance(model.covariates, str) else model.covariates
    return open_series(
        open_frame(source), target or list(model.targets), model.time, model.horizon, covariates=beside
    )


def forecast_on(opened: Opened, source: Any, horizon: int | None) -> tuple[dict[str, list[Any]], list[str]]:
    """What comes behind the end of a series, as columns, and notes; without a series, behind that of training.

    Covariates that are known ahead are read from the rows behind the last target.
    """
    model = opened.estimator
    if isinstance(source, list):
        if len(source) > 1:
            raise DataError(f"one table is expected, got {len(source)} files; give them one after another.")
        source = source[0] if source else None
    future, notes, steps = None, list[str](), horizon or model.horizon
    if source is not None:
        job = series_of(opened, source)
        notes = list(job.notes)
        model.go_on_from(job.series)
        future = behind_the_end(open_frame(source), model)
    elif not model.tail_.size:
        raise DataError("the series of training ended in gaps, so nothing goes on from it; give a table.")
    told = model.predict(horizon=steps, future=future)
    told = told.reshape(len(told), -1)
    names = list(model.targets) or [f"target {j + 1}" for j in range(told.shape[1])]
    names = names if len(names) == told.shape[1] else [f"target {j + 1}" for j in range(told.shape[1])]
    columns: dict[str, list[Any]] = {}
    if model.last_time_ is not None:
        columns[model.time] = [moment_text(one) for one in model.times_ahead(steps)]
    levels = model.quantiles if steps <= model.horizon else ()
    ends = model.predict_quantiles(horizon=steps, future=future) if len(levels) else None
    for j, name in enumerate(names):
        columns[f"predicted {name}"] = told[:, j].tolist()
        for q, level in enumerate(levels):
            if ends is not None and level != 0.5:
                columns[f"{level:.0%} level of {name}"] = ends.reshape(*told.shape, -1)[:, j, q].tolist()
    return columns, notes


def behind_the_end(table: Any, model: Any) -> np.ndarray | None:
    """The known covariates (H, m) of the rows behind the last one with a target; nothing where none are needed."""
    if not model.given_:
        return None
    from ganglion.data.series import read_series

    names = [model.covariates] if isinstance(model.covariates, str) else list(model.covariates)
    whole = read_series(table, model.time, names)  # the covariates reach further than the targets
    end = read_series(table, model.time, list(model.targets)).times[-1]
    return whole.values[whole.times > end]
