"""A small XML file as nested elements, read as if a stranger had made it.

The standard library's expat parser does the reading. A document type is refused, because it is where entities are
declared: they can name other files, or unfold into gigabytes.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ganglion.base.errors import DataError
from ganglion.data.decode import shown

MAX_BYTES = 4 << 20
MAX_DEPTH = 64


@dataclass
class Element:
    """A tag with its text and the elements inside it."""

    tag: str
    content: str = ""
    inside: list["Element"] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        """The elements of this tag directly inside."""
        return [element for element in self.inside if element.tag == tag]

    def text(self, path: str) -> str:
        """The text at ``"a/b"`` (the first of each), without spaces around it; ``""`` where there is none."""
        element: Element | None = self
        for tag in path.split("/"):
            element = next(iter(element.all(tag)), None) if element else None
        return element.content.strip() if element else ""


def read_xml(path: str | os.PathLike[str]) -> Element:
    """The root element of a file.

    Raises ``DataError`` naming the file: not there, too large, a document type, nested too deeply, not XML.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.xml"
    ...     _ = file.write_text("<a><b> 1 </b></a>")
    ...     read_xml(file).text("b")
    '1'
    """
    try:
        size = os.stat(path).st_size
        raw = Path(path).read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise DataError(f"an XML file is expected at {shown(path)}, but it cannot be read ({why}).") from None
    if size > MAX_BYTES:
        raise DataError(
            f"an XML file of at most {MAX_BYTES:,} bytes is expected, but {shown(path)} has {size:,}."
        )
    top = Element("")
    stack = [top]

    def refuse(*_: object) -> None:
        raise DataError(
            f"plain XML is expected, but {shown(path)} declares a document type, which could unfold or name other "
            "files: remove the <!DOCTYPE ...>."
        )

    def begin(tag: str, _: object) -> None:
        if len(stack) > MAX_DEPTH:
            raise DataError(
                f"at most {MAX_DEPTH} levels of XML are expected, but {shown(path)} has more: check it."
            )
        stack[-1].inside.append(Element(tag))
        stack.append(stack[-1].inside[-1])

    def text(content: str) -> None:
        stack[-1].content += content

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.CharacterDataHandler = begin, text
    parser.EndElementHandler = lambda _: stack.pop()
    parser.buffer_text = True
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"XML is expected, but {shown(path)} is not sound ({error}): write it again."
        ) from None
    return top.inside[0]
