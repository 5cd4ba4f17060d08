"""Delimited text (CSV, TSV and kin) as a table: delimiter and header found, ragged rows named."""

import csv
import io
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ganglion.base.errors import DataError
from ganglion.data.arrow import TEXT
from ganglion.data.cells import MARKERS, number_format, parse_numbers, words
from ganglion.data.columns import Frame

MAX_COLUMNS = 10_000
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def parse_delimited(
    content: bytes, name: str, *, header: bool | None = None, delimiter: str | None = None
) -> Frame:
    """UTF-8 delimited text as a ``Frame``: numbers where all cells are numbers, else trimmed text.

    Args:
        content: the bytes, UTF-8.
        name: the file's name, for messages.
        header: whether the first row holds names (``None``: found out).
        delimiter: ``","``, ``";"``, a tab or ``"|"`` (``None``: found out).

    Raises:
        DataError: ragged rows, unclosed quotes, duplicate names, no rows, too many columns.

    Example:
        >>> parse_delimited(b"a;b\\n1;x\\n2;y\\n", "t.csv").names
        ['a', 'b']
    """
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n\x1a ")
    content += b"\n"
    delimiter = delimiter or sniff_delimiter(content)
    table = _read(content, name, delimiter)
    cells = [_joined(table.column(i)) for i in range(table.num_columns)]
    first = [cell[0].as_py() or "" for cell in cells]
    if header is None:
        header = sniff_header(first, [cell.slice(1, 200) for cell in cells])
    if header:
        names = [text.strip() or f"column_{i + 1}" for i, text in enumerate(first)]
        cells = [cell.slice(1) for cell in cells]
    else:
        names = [f"column_{i + 1}" for i in range(len(cells))]
    if not len(cells[0]):
        raise DataError(f"rows are expected, but {name!r} holds only a header: add rows, or header=False.")
    frame = Frame(names, [_typed(cell) for cell in cells])
    if not header:
        frame.notes.append(
            f"the first row holds no names, so columns are called column_1 to column_{len(cells)}"
        )
    return frame


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(TEXT).combine_chunks()


def _read(content: bytes, name: str, delimiter: str) -> pa.Table:
    """All cells as text; ragged rows are counted and the first is named."""
    width = len(next(filter(None, _records(content, delimiter)), [""]))
    if width > MAX_COLUMNS:
        raise DataError(
            f"at most {MAX_COLUMNS:,} columns are expected in a text table, but {name!r} has {width:,}: "
            "choose columns, or pass a NumPy matrix in Python."
        )
    if content.count(b'"') % 2:
        _refuse_open_quote(content, name, delimiter)
    try:
        return _arrow(content, delimiter, width, lambda row: "error")
    except pa.ArrowInvalid as error:
        problem = str(error)
    if "straddling" in problem:  # a row larger than the block: take the file as one block
        try:
            return _arrow(content, delimiter, width, lambda row: "error", block=len(content) + 1)
        except pa.ArrowInvalid as error:
            problem = str(error)
    raise DataError(_ragged(content, name, delimiter, width, problem))


def _arrow(content: bytes, delimiter: str, width: int, on_ragged: object, block: int = 1 << 22) -> pa.Table:
    names = [str(i) for i in range(width)]
    return pyarrow.csv.read_csv(
        io.BytesIO(content),
        pyarrow.csv.ReadOptions(column_names=names, block_size=min(block, 2**31 - 1)),
        pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=b'"' in content, invalid_row_handler=on_ragged
        ),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    )


def _records(content: bytes, delimiter: str) -> "csv._reader":  # type: ignore[name-defined]
    csv.field_size_limit(2**31 - 1)
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    return csv.reader(text, delimiter=delimiter)


def _refuse_open_quote(content: bytes, name: str, delimiter: str) -> None:
    """An odd number of quotes whose last one swallows the rest of the file."""
    reader, start, last = _records(content, delimiter), 0, 0
    for _ in reader:
        start, last = last + 1, reader.line_num  # lines of the record just read
    tail = content[content.rfind(b"\n", 0, -1) + 1 :]
    opened = (delimiter.encode() + tail).count(delimiter.encode() + b'"') and tail.count(b'"') % 2
    if last > start or opened:
        raise DataError(
            f"each quote is expected to be closed, but the one opened in line {start} of {name!r} "
            "runs to the end: close it or remove it."
        )


def _ragged(content: bytes, name: str, delimiter: str, width: int, problem: str) -> str:
    """The sentence for what Arrow could not parse, found again by a plain reader that counts lines."""
    reader = _records(content, delimiter)
    line, bad, first = 1, 0, (0, 0)
    for row in reader:
        if row and len(row) != width:
            bad += 1
            first = first if first[0] else (line, len(row))
        line = reader.line_num + 1
    if not bad:
        return f"{name!r} cannot be read as a table ({problem.splitlines()[0][:120]}): check its rows."
    others = f" ({bad:,} such rows)" if bad > 1 else ""
    quote = " or close the quote" if content.count(b'"') % 2 else ""
    separator = DELIMITERS.get(delimiter, repr(delimiter))
    return (
        f"{width} cells separated by {separator} are expected in each row of {name!r}, but line {first[0]} "
        f"has {first[1]}{others}: mend that row{quote}, or quote cells that hold the delimiter."
    )


def sniff_delimiter(content: bytes) -> str:
    """The delimiter that splits the first rows most evenly (a comma for one column).

    Example:
        >>> sniff_delimiter(b"a;b\\n1,5;2\\n")
        ';'
    """
    head = content[:262_144]
    cut = head.rfind(b"\n")
    head = head[: cut + 1] if cut > 0 else head

    def evenness(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in islice(filter(None, _records(head, delimiter)), 100)]
        except (UnicodeDecodeError, csv.Error):
            return 0.0, 0
        usual = max(set(widths), key=widths.count) if widths else 1
        return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)

    scores = {delimiter: evenness(delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=lambda d: scores[d])
    return best if scores[best][1] > 1 else ","


def sniff_header(first: list[str], rest: list[pa.Array]) -> bool:
    """Whether the first row holds names: words above numbers, or words not met again below.

    Args:
        first: the cells of the first row.
        rest: the next cells of each column.
    """
    cells = [cell.strip() for cell in first]
    if any(cell in MARKERS and cell for cell in cells):
        return False
    numeric = [_is_number(cell) for cell in cells]
    votes, again = 0, False
    for cell, is_number, below in zip(cells[:500], numeric, rest):
        if is_number or not cell:
            continue
        found = words(below).values
        values = found.to_pylist()
        again = again or cell in values
        votes += bool(values) and all(map(_is_number, values))
    if votes or any(numeric):
        return (votes > 0 and len(set(cells)) == len(cells)) or votes > sum(numeric)
    return not again


def _is_number(cell: str) -> bool:
    return bool(cell) and not np.isnan(parse_numbers(pa.array([cell]))[0])


def _typed(column: pa.Array) -> "np.ndarray | pa.Array":
    """A text column as float64 when every cell is a number or missing, else trimmed text."""
    try:
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    except pa.ArrowInvalid:  # a blank, a marker or a word among them
        found = words(column.slice(0, 1000))
    form = number_format(found.values)
    if form == "plain" and not np.isnan(parse_numbers(found.values)).any():
        found = words(column)
        numbers = parse_numbers(found.values)
        if len(numbers) and not np.isnan(numbers).any():
            return found.spread(numbers, np.nan)
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, TEXT), column)
