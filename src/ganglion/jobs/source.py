"""What somebody gives to learn from: a table of numbers, texts, pictures or times, a folder of pictures, a text."""

import os
from collections.abc import Sequence
from typing import Any

from ganglion.base.errors import DataError
from ganglion.data.decode import shown
from ganglion.data.folders import is_picture
from ganglion.jobs.job import Job
from ganglion.jobs.table import open_frame, open_job

LEARN = "to learn from pictures, give a folder that holds a folder of them for each class, or a table with --image"
OF_TABLES = ("target", "image", "text", "covariates", "ignore", "header", "horizon")


def open_source(
    source: Any,
    target: str | Sequence[str] | None,
    *,
    image: str | None = None,
    text: Sequence[str] = (),
    horizon: int | None = None,
    time_column: str | None = None,
    covariates: Sequence[str] = (),
    lines: bool = False,
    task: str | None = None,
    ignore: Sequence[str] = (),
    header: bool | None = None,
) -> Job:
    """Inputs and target from what was given; raises ``DataError`` for what cannot be learned from.

    Arguments as for ``ganglion.fit``; ``time_column`` is only looked at where there is a ``horizon``.
    """
    given = {"target": target, "image": image, "text": text, "covariates": covariates, "ignore": ignore,
             "header": header, "horizon": horizon}  # fmt: skip
    if is_folder(source):
        from ganglion.jobs.pictures import open_folder

        refuse(given, f"{shown(source)} is a folder of class folders")
        return open_folder(source, task)
    if is_path(source) and is_picture(os.fspath(source)):
        raise DataError(f"{shown(source)} is one picture; {LEARN}.")
    if (job := of_words(source, given, lines=lines)) is not None:
        return job
    if image is not None:
        from ganglion.jobs.pictures import open_picture_table

        return open_picture_table(source, target, image, task=task, ignore=ignore, header=header)
    table = open_frame(source, header)
    if horizon is not None:
        return of_times(table, target, time_column, horizon, covariates, ignore)
    if covariates:
        raise DataError(
            "--covariates help to forecast, but there is no --horizon; give how many times ahead."
        )
    from ganglion.jobs.sequences.look import text_job

    asked = {"text": list(text), "task": task, "ignore": list(ignore), "header": header}
    settings = {k: v for k, v in asked.items() if v not in (None, [])}
    found = text_job(table, target, text=text, task=task, ignore=ignore, settings=settings)
    return found or open_job(table, target, task=task, ignore=ignore, header=header)


def of_words(source: Any, given: dict[str, Any], *, lines: bool) -> Job | None:
    """The job of a file of tagged words, or of a text file for which no target is named."""
    from ganglion.jobs.sequences.reading import ending, is_file
    from ganglion.jobs.sequences.tagged import is_tagged, open_tagged

    if is_tagged(source):
        refuse(given, f"{shown(source)} holds words and their tags")
        return open_tagged(source)
    if is_file(source) and ending(source) == ".txt" and not given["target"]:
        from ganglion.jobs.sequences.corpus import open_corpus

        refuse(given, f"{shown(source)} is a text without --target")
        return open_corpus(source, each=lines)
    if lines:
        raise DataError("--lines belongs to a .txt file that is learned from as it is; leave it out.")
    return None


def of_times(
    table: Any, target: Any, time_column: str | None, horizon: int, covariates: Sequence[str], ignore: Sequence[str]
) -> Job:  # fmt: skip
    """The job of a series."""
    from ganglion.jobs.sequences.forecast import open_series

    if time_column is None:
        raise DataError("--horizon asks for forecasts, for which --time names the column of times; give it.")
    return open_series(table, target, time_column, horizon, covariates=covariates, ignore=ignore)


def refuse(given: dict[str, Any], what: str) -> None:
    """Refuse words that belong to a table where there is none."""
    for name in OF_TABLES:
        if given[name] not in (None, [], ()):
            raise DataError(f"--{name} belongs to a table, but {what}; leave it out.")


def is_path(source: Any) -> bool:
    """Whether something is a path."""
    return isinstance(source, str) or hasattr(source, "__fspath__")


def is_folder(source: Any) -> bool:
    """Whether something is the path of a folder."""
    return is_path(source) and "\0" not in os.fspath(source) and os.path.isdir(source)
