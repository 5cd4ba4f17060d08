"""What somebody gives to learn from: a table, a table with paths of pictures, or a folder of pictures."""

import os
from collections.abc import Sequence
from typing import Any

from ganglion.base.errors import DataError
from ganglion.data.decode import shown
from ganglion.data.folders import is_picture
from ganglion.jobs.job import Job
from ganglion.jobs.table import open_job

LEARN = "to learn from pictures, give a folder that holds a folder of them for each class, or a table with --image"


def open_source(
    source: Any,
    target: str | Sequence[str] | None,
    *,
    image: str | None = None,
    task: str | None = None,
    ignore: Sequence[str] = (),
    header: bool | None = None,
) -> Job:
    """Inputs and target from what was given; raises ``DataError`` for what cannot be learned from.

    Arguments: ``source`` a folder of class folders, or a table as for ``open_job``, whose column ``image`` holds the
    paths of pictures where it is named; the others as for ``ganglion.fit``.
    """
    if is_folder(source):
        from ganglion.jobs.pictures import open_folder

        given = {"target": target, "image": image, "ignore": ignore, "header": header}
        for name, value in given.items():
            if value not in (None, [], ()):
                raise DataError(f"--{name} belongs to a table, but {shown(source)} is a folder of class folders; "
                                "leave it out.")  # fmt: skip
        return open_folder(source, task)
    if is_path(source) and is_picture(os.fspath(source)):
        raise DataError(f"{shown(source)} is one picture; {LEARN}.")
    if image is not None:
        from ganglion.jobs.pictures import open_picture_table

        return open_picture_table(source, target, image, task=task, ignore=ignore, header=header)
    return open_job(source, target, task=task, ignore=ignore, header=header)


def is_path(source: Any) -> bool:
    """Whether something is a path."""
    return isinstance(source, str) or hasattr(source, "__fspath__")


def is_folder(source: Any) -> bool:
    """Whether something is the path of a folder."""
    return is_path(source) and "\0" not in os.fspath(source) and os.path.isdir(source)
