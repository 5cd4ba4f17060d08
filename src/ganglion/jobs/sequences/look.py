"""What a table of texts asks for: their classes, tags of their words, other texts, or what comes next in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.schema import Column, infer_schema
from ganglion.data.target import infer_task
from ganglion.jobs.job import Job
from ganglion.jobs.table import check_column, named_targets

LOOKED_AT = 2_000  # rows that tell what a column is
MOST_BESIDE = 3  # columns that a network could use beside texts, and texts are still what the table is about
MOST_TAGS = 200


@dataclass
class Wanted:
    """A table of texts, the columns that hold them, what is to be told, and what was asked for."""

    table: Frame
    names: list[str]
    target: str
    task: str | None
    notes: list[str]
    settings: dict[str, Any] = field(default_factory=dict)

    def texts(self, table: Frame | None = None) -> list[str]:
        """The texts of a table with these columns; several are put below one another."""
        return texts_in(self.table if table is None else table, self.names)


def text_job(
    table: Frame,
    target: str | Sequence[str] | None,
    *,
    text: Sequence[str] = (),
    task: str | None = None,
    ignore: Sequence[str] = (),
    settings: dict[str, Any],
) -> Job | None:
    """The job of a table whose rows are texts; nothing where it is a table of numbers and categories.

    Columns of texts are those named by ``text``, or found: free texts beside at most ``MOST_BESIDE`` others. Raises
    ``DataError`` where texts were named and cannot be learned from.
    """
    for name in (*text, *ignore):
        check_column(name, table)
    if not target:
        return _of_texts_alone(table, list(text), settings) if text else None
    targets = named_targets(table, target)
    for name in targets:
        check_column(name, table)
    names, notes = list(text), list[str]()
    if not names:
        names, notes = found_texts(table, [*targets, *ignore])
    if not names:
        return None
    if len(targets) > 1 or targets[0] in names:
        if not text:
            return None
        raise DataError(f"one column beside {', '.join(names)} is expected as --target, got {', '.join(targets)}; "
                        "name another.")  # fmt: skip
    return _of_texts(Wanted(table, names, targets[0], task, notes, settings), named=bool(text))


def _of_texts_alone(table: Frame, names: list[str], settings: dict[str, Any]) -> Job:
    from ganglion.jobs.sequences.corpus import corpus_of

    return corpus_of([one for one in texts_in(table, names) if one], each=True, settings=settings)


def _of_texts(wanted: Wanted, *, named: bool) -> Job | None:
    goal = infer_schema(first_rows(wanted.table.select([wanted.target])))[0]
    if len(wanted.names) == 1 and wanted.task is None and tells_each_word(wanted):
        from ganglion.jobs.sequences.tagged import tags_of

        return tags_of(wanted)
    if wanted.task is None and (goal.kind == "text" or (named and goal.kind == "identifier")):
        from ganglion.jobs.sequences.pairs import pairs_of

        return pairs_of(wanted)
    found = infer_task(wanted.table.stored(wanted.target), wanted.task)
    if not found.classification:
        if not named:
            return None
        raise DataError(
            f"texts are sorted into classes, but {wanted.target!r} holds numbers; give --task classification, or leave "
            "--text out."
        )
    from ganglion.jobs.sequences.texts import texts_of

    return texts_of(wanted, found)


def found_texts(table: Frame, apart: list[str]) -> tuple[list[str], list[str]]:
    """The columns of free texts, if they are what the table is about, and a note on those beside them."""
    columns = infer_schema(first_rows(table.drop(apart)))
    names = [one.name for one in columns if one.kind == "text"] or lone_text(table, columns)
    beside = [one.name for one in columns if one.used and one.name not in names]
    if not names or len(beside) > MOST_BESIDE:
        return [], []
    word = "columns" if len(beside) > 1 else "column"
    note = (
        f"the network reads {', '.join(map(repr, names))}, not the {word} {', '.join(beside)}; with --ignore "
        f"{','.join(names)} it is the other way round"
    )
    return names, [note] if beside else []


def lone_text(table: Frame, columns: list[Column]) -> list[str]:
    """The only column, if it holds words that are all different, such as names."""
    if len(columns) == 1 and columns[0].kind == "identifier":
        cells = [cell for cell in table.column(columns[0].name)[:LOOKED_AT] if isinstance(cell, str)]
        if cells and np.mean([any(map(str.isalpha, cell)) for cell in cells]) > 0.9:
            return [columns[0].name]
    return []


def tells_each_word(wanted: Wanted) -> bool:
    """Whether the target has a tag for each word of the text in every row, and far fewer tags than there are words."""
    part = first_rows(wanted.table)
    if part.column(wanted.target).dtype != object:
        return False
    rows = [
        (text.split(), tags.split())
        for text, tags in zip(wanted.texts(part), texts_in(part, [wanted.target]))
        if text and tags
    ]
    n = sum(len(text) for text, _ in rows)
    words, tags = ({one for row in rows for one in row[i]} for i in (0, 1))
    fits = all(len(text) == len(own) for text, own in rows)
    return bool(rows) and fits and n >= 2 * len(rows) and len(tags) <= min(MOST_TAGS, len(words) / 2)


def texts_in(table: Frame, names: list[str]) -> list[str]:
    """The texts in columns, ``""`` for missing ones; several are put below one another. Raises ``DataError``."""
    columns = []
    for name in names:
        cells = table.column(name)
        if cells.dtype != object:
            raise DataError(f"texts are expected in the column {name!r}, but it holds none; name another.")
        columns.append(["" if cell is None else str(cell) for cell in cells])
    return ["\n".join(filter(None, row)) for row in zip(*columns)] if len(names) > 1 else columns[0]


def first_rows(table: Frame) -> Frame:
    """As many rows as it takes to tell what a column is."""
    return table.take(np.arange(min(len(table), LOOKED_AT)))
