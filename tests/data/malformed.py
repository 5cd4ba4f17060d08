"""A seeded maker of broken tables: real ones with one or more things done to them."""

import gzip
import io
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HEADER = ["age", "job", "city", "income", "start", "target"]


def good_rows(rng: np.random.Generator, n: int = 30) -> list[list[str]]:
    """A small healthy table of text cells, the header first."""
    jobs, cities = ["cook", "nurse", "smith"], ["Köln", "São Paulo", "Zürich", "Oslo"]
    rows = [HEADER]
    for _ in range(n):
        day = f"20{rng.integers(10, 25)}-0{rng.integers(1, 10)}-1{rng.integers(0, 10)}"
        rows.append(
            [
                str(rng.integers(18, 90)),
                str(rng.choice(jobs)),
                str(rng.choice(cities)),
                f"{rng.normal(5e4, 1e4):.2f}",
                day,
                str(rng.choice(["yes", "no"])),
            ]
        )
    return rows


def joined(rows: list[list[str]], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(row) for row in rows) + "\n"


# Cell mutations take rows and give rows.


def drop_cell(rows, rng):
    row = rows[rng.integers(len(rows))]
    del row[rng.integers(len(row))]


def add_cell(rows, rng):
    rows[rng.integers(len(rows))].append("extra")


def empty_row(rows, rng):
    rows.insert(rng.integers(len(rows)), [""] * int(rng.integers(0, 9)))


def duplicate_name(rows, rng):
    rows[0][-1] = rows[0][0]
    rows[0].append(rows[0][0])


def blank_name(rows, rng):
    rows[0][rng.integers(len(rows[0]))] = str(rng.choice(["", " ", "\t"]))


def put(*cells):
    def mutate(rows, rng):
        row = rows[rng.integers(len(rows))]
        if row:
            row[rng.integers(len(row))] = str(cells[rng.integers(len(cells))])

    return mutate


def whole_column(*cells):
    def mutate(rows, rng):
        j = int(rng.integers(len(rows[0]))) if rows[0] else 0
        for row in rows[1:]:
            if j < len(row):
                row[j] = str(cells[rng.integers(len(cells))])

    return mutate


def only_header(rows, rng):
    del rows[1:]


def one_row(rows, rng):
    del rows[2:]


def one_column(rows, rng):
    for row in rows:
        del row[1:]


def no_header(rows, rng):
    del rows[0]


def many_columns(rows, rng):
    extra = int(rng.integers(50, 500))
    for i, row in enumerate(rows):
        row.extend([f"c{k}" if i == 0 else "1" for k in range(extra)])


ROWS = [
    drop_cell,
    add_cell,
    empty_row,
    duplicate_name,
    blank_name,
    put('"', '"open', 'a"b', '"a"b', '""', '"""'),
    put("inf", "-inf", "1e999", "Infinity", "nan", "1e-999"),
    put("\x00", "\x01", "\x1a", "\x7f", "\x0b"),
    put("x" * 100_000, "9" * 5000, "1" + "0" * 400),
    put("=cmd|' /C calc'!A0", "__import__('os').system('true')", "${jndi:ldap://x}", "../../etc/passwd"),
    put("\ufeff", "\u202e", "\ud7ff", "🦆" * 50, "é", "\u2028", "\x85"),
    put("2020-02-31", "31/12/2020", "0000-00-00", "99999-01-01"),
    whole_column("", "?", "NA"),
    whole_column("inf"),
    whole_column("same"),
    whole_column("1e308", "-1e308"),
    only_header,
    one_row,
    one_column,
    no_header,
    many_columns,
]


# Byte mutations take bytes and give bytes.


def cut(data, rng):
    return data[: rng.integers(len(data) + 1)]


def flip(data, rng):
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 30))):
        if changed:
            changed[rng.integers(len(changed))] = rng.integers(256)
    return bytes(changed)


def insert_garbage(data, rng):
    place = int(rng.integers(len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 500))) + data[place:]


def only_garbage(data, rng):
    return rng.bytes(int(rng.integers(0, 5000)))


def false_mark(data, rng):
    marks = [b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"\x80\x04\x95"]
    return marks[rng.integers(len(marks))] + data


def repeat_header(data, rng):
    first = data.split(b"\n")[0]
    return data + first + b"\n" + data


def mixed_ends(data, rng):
    return data.replace(b"\n", b"\r", 5).replace(b"\n", b"\r\n", 5)


def other_delimiter_below(data, rng):
    half = len(data) // 2
    return data[:half] + data[half:].replace(b",", b";")


BYTES = [
    cut,
    flip,
    insert_garbage,
    only_garbage,
    false_mark,
    repeat_header,
    mixed_ends,
    other_delimiter_below,
]
ENCODINGS = ["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift_jis"]


def text_table(rng: np.random.Generator) -> tuple[str, bytes]:
    rows = [list(row) for row in good_rows(rng, int(rng.integers(1, 40)))]
    for _ in range(int(rng.integers(1, 4))):
        if rows:
            ROWS[rng.integers(len(ROWS))](rows, rng)
    text = joined(rows, str(rng.choice([",", ";", "\t", "|"])))
    data = text.encode(str(rng.choice(ENCODINGS)), "replace")
    if rng.random() < 0.5:
        data = BYTES[rng.integers(len(BYTES))](data, rng)
    ending = str(rng.choice([".csv", ".tsv", ".txt", ".csv.gz", ""]))
    return "t" + ending, gzip.compress(data) if ending.endswith(".gz") and rng.random() < 0.8 else data


def json_table(rng: np.random.Generator) -> tuple[str, bytes]:
    header, *rows = good_rows(rng, 12)
    objects = [dict(zip(header, row)) for row in rows]
    strange = [{"x": 1}, [1, 2], None, True, 1e999, -(10**400), float("nan"), "", {"": {}}, 2**70, "\ud800"]
    for _ in range(int(rng.integers(0, 4))):
        objects[rng.integers(len(objects))][str(rng.choice(HEADER))] = strange[rng.integers(len(strange))]
    lines = [json.dumps(row) for row in objects]
    if rng.random() < 0.3:
        lines[rng.integers(len(lines))] = str(
            rng.choice(["[1, 2]", "3", "null", "{", '"x"', "[" * 3000, "{}"])
        )
    data = ("[" + ",".join(lines) + "]" if rng.random() < 0.3 else "\n".join(lines)).encode()
    if rng.random() < 0.5:
        data = BYTES[rng.integers(5)](data, rng)
    return "t" + str(rng.choice([".jsonl", ".json", ".ndjson"])), data


def parquet_table(rng: np.random.Generator) -> tuple[str, bytes]:
    header, *rows = good_rows(rng, 20)
    columns = {name: [row[j] for row in rows] for j, name in enumerate(header)}
    strange = {
        "list": [[1]] * 20,
        "struct": [{"a": 1}] * 20,
        "bytes": [b"\xff\xfe"] * 20,
        "null": [None] * 20,
        "truth": [True, None] * 10,
        "inf": [float("inf")] * 20,
    }
    for name in rng.choice(sorted(strange), int(rng.integers(0, 3)), replace=False):
        columns[str(name)] = strange[str(name)]
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    data = stream.getvalue()
    if rng.random() < 0.8:
        data = BYTES[rng.integers(5)](data, rng)
    return "t.parquet", data


def frames(rng: np.random.Generator) -> object:
    """Something broken that a Python caller might hand over."""
    n = int(rng.integers(0, 30))
    columns = {
        "a": rng.normal(size=n),
        "b": rng.choice(["x", "y"], n).astype(object),
        "c": rng.integers(0, 2, n).astype(bool),
    }
    choice = int(rng.integers(10))
    if choice == 0:
        columns["a"] = np.full(n, rng.choice([np.inf, np.nan, 1e300]))
    elif choice == 1:
        columns["b"] = [object() if rng.random() < 0.2 else "x" for _ in range(n)]
    elif choice == 2:
        columns["a"] = columns["a"][: n // 2]
    elif choice == 3:
        columns["a"] = rng.normal(size=(n, 2))
    elif choice == 4:
        return list(zip(*columns.values()))
    elif choice == 5:
        return [list(range(int(rng.integers(0, 4)))) for _ in range(n)]
    elif choice == 6:
        return rng.normal(size=tuple(rng.integers(0, 4, int(rng.integers(0, 4)))))
    elif choice == 7:
        columns["d"] = [{"k": 1}] * n
    elif choice == 8:
        columns["c"] = rng.normal(size=n) + 1j
    else:
        return [None, "table", 3, {}, [], [[]], b"x", {"a": None}, {"a": 3}, np.array(None)][rng.integers(10)]
    return columns


def files(n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents of n broken files."""
    makers = [text_table] * 6 + [json_table] * 2 + [parquet_table] * 2
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        yield makers[i % len(makers)](rng)
