"""XML as a stranger may have made it."""

import time
from pathlib import Path

import pytest

from ganglion.base.errors import DataError
from ganglion.data.xml import MAX_BYTES, read_xml

LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{i} "{f"&lol{i - 1 if i > 1 else str()};" * 10}">' for i in range(1, 10))
    + "]><lolz>&lol9;</lolz>"
)


def test_elements(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(
        '<?xml version="1.0"?><a><b x="1"> 1 &lt; 2 </b><c><b>ä</b></c><b/><!-- no --></a>', encoding="utf-8"
    )
    root = read_xml(file)
    assert (root.tag, root.text("b"), root.text("c/b"), root.text("c/d/e")) == ("a", "1 < 2", "ä", "")
    assert [one.content for one in root.all("b")] == [" 1 < 2 ", ""]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LAUGHS, "document type"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "document type"),
        ('<!DOCTYPE a SYSTEM "http://localhost:1/a.dtd"><a/>', "document type"),
        ("<a>" * 10_000, "64 levels"),
        ("<a><b></a>", "not sound .mismatched tag"),
        ("<a>&x;</a>", "not sound .undefined entity"),
        ("", "not sound .no element found"),
        ("\x89PNG", "not sound"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "not sound .unknown encoding"),
        ("<a>" + "x" * MAX_BYTES + "</a>", "at most"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "a.xml"
    file.write_text(content, encoding="utf-8")
    clock = time.perf_counter()
    with pytest.raises(DataError, match=words) as caught:
        read_xml(file)
    assert time.perf_counter() - clock < 2
    assert "a.xml" in str(caught.value)
    assert str(caught.value).endswith(".")


def test_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.xml"):
        with pytest.raises(DataError, match="cannot be read"):
            read_xml(path)
