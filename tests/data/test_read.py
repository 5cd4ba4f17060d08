"""Table files: formats, encodings, delimiters, headers; and what is said of broken ones."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganglion.base.errors import DataError
from ganglion.data.read import read_table

ROWS = "name;size\ncafé;1,5\nthé;2\n"


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path, delimiter):
    rows = [["a", "b", "c"], ["1", "x y", "3.5"], ["2", '"q,;|\tz"', "?"]]
    frame = read_table(written(tmp_path, "t.csv", "\n".join(delimiter.join(row) for row in rows)))
    assert frame.names == ["a", "b", "c"]
    assert frame.column("a").tolist() == [1, 2]
    assert frame.column("b").tolist() == ["x y", "q,;|\tz"]
    np.testing.assert_array_equal(frame.column("c"), [3.5, np.nan])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(tmp_path, encoding):
    frame = read_table(written(tmp_path, "t.csv", ROWS.encode(encoding)))
    assert frame.column("name").tolist() == ["café", "thé"]
    assert not frame.notes


def test_windows_text_is_read_with_a_note(tmp_path):
    path = written(tmp_path, "t.csv", ROWS.encode("cp1252"))
    frame = read_table(path)
    assert frame.column("name").tolist() == ["café", "thé"]
    assert "Windows-1252" in frame.notes[0]
    assert "line 2" in frame.notes[0]
    assert read_table(path, encoding="latin-1").column("name").tolist() == ["café", "thé"]
    with pytest.raises(DataError, match="encoding 'klingon' is not known"):
        read_table(path, encoding="klingon")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2\n", ["a", "b"]),
        ("1,2\n3,4\n", ["column_1", "column_2"]),
        ("39, State-gov, ?\n50, Private, x\n", ["column_1", "column_2", "column_3"]),
        ("id,name,2019\n1,x,5\n2,y,6\n", ["id", "name", "2019"]),
        ("red,big\nblue,small\nred,small\n", ["column_1", "column_2"]),
        ("colour,size\nblue,small\nred,small\n", ["colour", "size"]),
        (",b\n0,2\n1,3\n", ["column_1", "b"]),
    ],
)
def test_header_is_found(tmp_path, text, names):
    assert read_table(written(tmp_path, "t.csv", text)).names == names


def test_header_can_be_told(tmp_path):
    path = written(tmp_path, "t.csv", "1,2\n3,4\n")
    assert read_table(path, header=True).names == ["1", "2"]
    path = written(tmp_path, "u.csv", "a,b\n3,4\n")
    assert read_table(path, header=False).column(0).tolist() == ["a", "3"]


def test_line_ends_blank_lines_and_long_cells(tmp_path):
    assert read_table(written(tmp_path, "r.csv", "a,b\r1,2\r3,4\r")).shape == (2, 2)
    assert read_table(written(tmp_path, "n.csv", "\n\na,b\r\n\r\n1,2\r\n\n")).shape == (1, 2)
    long = written(tmp_path, "l.csv", "a,b\n1," + "x" * 9_000_000 + "\n2,y\n")
    assert len(read_table(long).column("b")[0]) == 9_000_000
    quoted = written(tmp_path, "q.csv", 'a,b\n1,"two\nlines, one ""cell"""\n2,y\n')
    assert read_table(quoted).column("b")[0] == 'two\nlines, one "cell"'


def test_types_are_settled_over_the_whole_file(tmp_path):
    """A word far below numbers (past any block that a reader looks at first) keeps its column text."""
    text = "a\n" + "123456\n" * 700_000 + "oops\n"
    column = read_table(written(tmp_path, "t.csv", text)).column("a")
    assert column[-1] == "oops"
    assert column[0] == "123456"


def test_gzip_parquet_and_json(tmp_path):
    table = pa.table({"a": [1, None], "b": ["x", "y"], "c": pa.array(["u", "u"]).dictionary_encode()})
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b,c\n1,x,u\n,y,u\n"))
    lines = b'{"a": 1, "b": "x", "c": "u"}\n\n{"b": "y", "c": "u"}\n'
    (tmp_path / "t.jsonl").write_bytes(lines)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "t.json").write_bytes(b'[{"a":1,"b":"x","c":"u"},\n{"a":null,"b":"y","c":"u"}]')
    for path in sorted(tmp_path.iterdir()):
        frame = read_table(path)
        assert frame.names == ["a", "b", "c"], path
        np.testing.assert_array_equal(frame.column("a"), [1, np.nan])
        assert frame.column("b").tolist() == ["x", "y"]


SAID = {
    "ragged.csv": (b"a,b\n1,2\n3\n4,5,6\n", "line 3 has 1 .2 such rows."),
    "open quote.csv": (b'a,b\n1,"2\n3,4\n5,6\n', "opened in line 2"),
    "quote at the end.csv": (b'a,b\n1,2\n3,"4\n', "opened in line 3"),
    "blank lines.csv": (b"\n\na,b\n\n1,2\n\n3\n", "line 7 has 1"),
    "header only.csv": (b"a,b\n", "only a header"),
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n\r\n", "is empty"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "'a' stands at columns 1 and 3"),
    "binary.csv": (b"a,b\n1,\x00\n", "line 2"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n" * 99)[:-9], "damaged or cut off"),
    "sheet.csv": (b"PK\x03\x04rest", "Excel"),
    "pickle.csv": (b"\x80\x04\x95rest", "could run code"),
    "cut.parquet": (b"PAR1\x00\x01\x02PAR1", "not a readable Parquet file"),
    "text.parquet": (b"a,b\n1,2\n", "not a readable Parquet file"),
    "broken.jsonl": (b'{"a": 1}\n{"a": \n', "line 2"),
    "list.jsonl": (b'{"a": 1}\n[1]\n', "line 2 holds a list"),
    "numbers.json": (b"[1, 2]", "item 1 is a int"),
    "deep.json": (b"[" * 50_000, "nested too deeply"),
    "nested.jsonl": (b'{"a": {"b": 1}}\n', "column 'a' holds"),
    "wide.csv": (b",".join(b"c%d" % i for i in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n", "100,000"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_wrong_is_said(tmp_path, name):
    content, words = SAID[name]
    with pytest.raises(DataError, match=words) as caught:
        read_table(written(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_paths(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(DataError, match="NUL"):
        read_table("a\0b")


def test_nested_and_strange_parquet_columns(tmp_path):
    pq.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'a' holds nested"):
        read_table(tmp_path / "t.parquet")
    pq.write_table(pa.table({"a": pa.array([b"\xff\xfe", b"x"])}), tmp_path / "u.parquet")
    with pytest.raises(DataError, match="not text"):
        read_table(tmp_path / "u.parquet")
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "v.parquet")
    with pytest.raises(DataError, match="has none"):
        read_table(tmp_path / "v.parquet")
