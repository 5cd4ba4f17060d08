"""A table from a file: CSV, TSV, Parquet or JSON lines, or one sentence that says what is wrong."""

import json
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ganglion.base.errors import DataError
from ganglion.data.arrow import from_arrow
from ganglion.data.columns import Frame, as_column
from ganglion.data.delimited import MAX_COLUMNS, parse_delimited
from ganglion.data.encoding import read_bytes, to_utf8

MAX_CELLS = 4_000_000_000


def read_table(
    path: str | PathLike[str],
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Frame:
    """Read a table file into a ``Frame``; nothing in the file is ever executed.

    The format follows the content and the ending (``.csv``, ``.tsv``, ``.txt``, ``.parquet``, ``.jsonl``,
    ``.ndjson``, ``.json``; text also as ``.gz``). ``frame.notes`` says what was guessed.

    Args:
        path: the file.
        header: whether the first row of delimited text holds names (``None``: found out).
        delimiter: what separates cells (``None``: found out among comma, semicolon, tab, pipe).
        encoding: of the text (``None``: UTF-8, UTF-16, else Windows-1252 with a note).

    Raises:
        DataError: what is wrong, in one sentence with the line or column where it is known.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "t.csv"
        ...     _ = file.write_text("age,job\\n30,cook\\n41,nurse\\n")
        ...     read_table(file).column("age").tolist()
        [30.0, 41.0]
    """
    if "\0" in str(path):
        raise DataError("a file path is expected, got one with a NUL character: check the path.")
    file = Path(path)
    content = read_bytes(file)
    name = file.name
    if content.startswith(b"PAR1") or file.suffix.lower() in (".parquet", ".pq"):
        return _parquet(content, name)
    text, note = to_utf8(content, name, encoding)
    if not text.strip():
        raise DataError(f"a table is expected, but {name!r} is empty: give a file with rows.")
    if _is_json(file, text):
        frame = _json(text, name)
    else:
        endings = [ending.lower() for ending in file.suffixes]
        tab = "\t" if ".tsv" in endings and b"\t" in text[:65536] else None
        frame = parse_delimited(text, name, header=header, delimiter=delimiter or tab)
    frame.notes.extend([note] if note else [])
    return frame


def _is_json(file: Path, text: bytes) -> bool:
    endings = [ending.lower() for ending in file.suffixes]
    if any(ending in (".json", ".jsonl", ".ndjson") for ending in endings):
        return True
    return text.lstrip()[:2] in (b'{"', b"[{") and ".csv" not in endings and ".tsv" not in endings


def _parquet(content: bytes, name: str) -> Frame:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        meta = file.metadata
        if meta.num_columns > MAX_COLUMNS or meta.num_rows * meta.num_columns > MAX_CELLS:
            raise DataError(
                f"at most {MAX_COLUMNS:,} columns and {MAX_CELLS:,} cells are expected, but {name!r} has "
                f"{meta.num_columns:,} columns and {meta.num_rows:,} rows: take a part of it."
            )
        table = file.read()
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError, OverflowError) as error:
        raise DataError(
            f"{name!r} is not a readable Parquet file ({_first_words(error)}): write it again."
        ) from None
    names = [str(column) for column in table.column_names]
    if not names or not table.num_rows:
        raise DataError(f"rows and columns are expected, but {name!r} has none: give a table with rows.")
    Frame(names, [()] * len(names))  # refuses duplicate names before any work
    columns = [from_arrow(_whole(table.column(i)), name) for i, name in enumerate(names)]
    called = [name for i, name in enumerate(names) if pa.types.is_dictionary(table.column(i).type)]
    return Frame(names, columns, categorical=called)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        column = column.cast(pa.large_binary() if pa.types.is_binary(column.type) else pa.large_string())
    return column.combine_chunks()


def _first_words(error: BaseException) -> str:
    """What a library said, as a part of a sentence."""
    text = " ".join(str(error).split()).rstrip(".").replace(". ", "; ") or type(error).__name__
    return text if len(text) <= 100 else text[:97] + "..."


def _json(text: bytes, name: str) -> Frame:
    """Objects one per line, or one list of objects."""
    rows = _json_list(text, name) if text.lstrip().startswith(b"[") else _json_lines(text, name)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    if not keys:
        raise DataError(f"objects with keys are expected, but those of {name!r} are empty: give columns.")
    if len(keys) > MAX_COLUMNS:
        raise DataError(
            f"at most {MAX_COLUMNS:,} columns are expected, but the objects of {name!r} have {len(keys):,} "
            "different keys: choose columns."
        )
    return Frame(keys, [as_column([row.get(key) for row in rows], key) for key in keys])


def _json_list(text: bytes, name: str) -> list[dict[str, Any]]:
    rows = _loads(text, name, 1)
    bad = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if bad is not None or not rows:
        got = f"item {bad + 1} is a {type(rows[bad]).__name__}" if bad is not None else "the list is empty"
        raise DataError(f"a list of objects is expected in {name!r}, but {got}: write one object per row.")
    return list(rows)


def _json_lines(text: bytes, name: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if line.strip():
            row = _loads(line, name, number)
            if not isinstance(row, dict):
                raise DataError(
                    f"one JSON object per line is expected in {name!r}, but line {number} holds a "
                    f'{type(row).__name__}: write {{"column": value, ...}} in each line.'
                )
            rows.append(row)
    return rows


def _loads(text: bytes, name: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = line + error.lineno - 1
        problem = f"{error.msg[:60].lower()} at character {error.colno}"
    except RecursionError:
        place, problem = line, "nested too deeply"
    except ValueError as error:  # an integer of thousands of digits
        place, problem = line, _first_words(error)
    raise DataError(f"line {place} of {name!r} is not valid JSON ({problem}): write one object per line.")
