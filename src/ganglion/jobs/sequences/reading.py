"""New texts from whatever a person gives: a list, a file with a text on each line, or columns of a table."""

import os
from pathlib import Path
from typing import Any

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.encoding import read_bytes, to_utf8
from ganglion.data.tokens import read_texts
from ganglion.jobs.sequences.look import texts_in
from ganglion.jobs.table import open_frame


def new_texts(source: Any, names: list[str]) -> tuple[list[str], Frame | None]:
    """Texts, and the table that they stand in, if it is one.

    Arguments: ``source`` a text, a list of texts, a ``.txt`` file with a text on each line, or a table or file with
    the columns ``names``, or with one column alone. Raises ``DataError``.
    """
    source = source[0] if isinstance(source, list) and len(source) == 1 and is_file(source[0]) else source
    if isinstance(source, str) and not is_file(source):
        return [source], None
    if isinstance(source, list) and not (source and isinstance(source[0], dict)):
        return read_texts(source), None
    if is_file(source) and ending(source) == ".txt":
        return lines_of(source), None
    table = open_frame(source)
    if len(table.names) == 1:
        names = table.names
    if not names:
        raise DataError(
            f"one column of texts is expected, got {len(table.names)}; give the one that holds them."
        )
    return texts_in(table, names), table


def is_file(source: Any) -> bool:
    """Whether something is the path of a file that is there, or looks like one."""
    if hasattr(source, "__fspath__"):
        return True
    return isinstance(source, str) and len(source) < 1024 and "\0" not in source and os.path.isfile(source)


def ending(path: Any) -> str:
    """A file's ending without that of a packed one, in small letters.

    >>> ending("a/Letters.TXT.gz")
    '.txt'
    """
    return os.path.splitext(os.fspath(path).lower().removesuffix(".gz"))[1]


def read_text(path: Any) -> tuple[str, list[str]]:
    """A file's text, and a note where its encoding was guessed; raises ``DataError``."""
    name = os.path.basename(os.fspath(path))
    raw, note = to_utf8(read_bytes(Path(path)), name, None)
    text = raw.decode("utf-8", "replace")
    if not text.strip():
        raise DataError(f"a text is expected, but {name!r} is empty; give a file with some.")
    return text, [note] if note else []


def lines_of(path: Any) -> list[str]:
    """The lines of a file, a text each; empty ones at its end are left out."""
    return read_text(path)[0].rstrip("\r\n").splitlines()
