"""Sentences whose words have tags: from lists, and from files in the formats of the CoNLL tasks."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.data.encoding import read_bytes, to_utf8

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
TAGS = ("upos", "xpos", "deprel")  # of these columns of CoNLL-U
MISSING = "_"


class Tagged(NamedTuple):
    """Sentences as lists of words, and for each word its tag."""

    words: list[list[str]]
    tags: list[list[str]]


def read_sentences(X: Any) -> list[list[str]]:
    """The sentences of X (n,), each a list, an array or a column of words.

    Raises ``DataError``, naming the sentence, for a text that is not split, a word that is no text or empty, and a
    sentence without words.

    >>> read_sentences([["a", "dog"], ("it", "barks")])
    [['a', 'dog'], ['it', 'barks']]
    """
    return _lists(X, "word")


def read_tags(y: Any, sentences: list[list[str]]) -> list[list[str]]:
    """The tags of y (n,) for sentences of ``read_sentences``, as many for each as it has words.

    Raises ``DataError``, naming the sentence, for other numbers and for tags that are no texts or empty.

    >>> read_tags([["DET", "NOUN"]], [["a", "dog"]])
    [['DET', 'NOUN']]
    """
    tags = _lists(y, "tag")
    if len(tags) != len(sentences):
        raise DataError(f"X and y must have the same number of rows, got {len(sentences)} and {len(tags)}.")
    for i, (words, own) in enumerate(zip(sentences, tags)):
        if len(words) != len(own):
            raise DataError(
                f"a tag for each word is expected, but sentence {i} has {len(words)} words and {len(own)} tags; "
                "give as many."
            )
    return tags


def read_conllu(path: str | PathLike[str], column: str = "upos") -> Tagged:
    """The words of a CoNLL-U file, as Universal Dependencies has them, and one of its columns as their tags.

    Lines of ten cells between tabs; comments, ranges of words (``1-2``, whose words follow) and words that are only
    understood (``8.1``) are left out. Gzip is unpacked.

    Arguments: ``column`` is "upos", "xpos" or "deprel". Raises ``DataError`` with file and line for what is no such
    file, words that are not numbered 1, 2, 3, ... in their sentence, and a word without a tag; ``ParameterError`` for
    another column.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.conllu"
    ...     _ = file.write_text("# text = Go\\n1\\tGo\\tgo\\tVERB" + "\\t_" * 6)
    ...     read_conllu(file)
    Tagged(words=[['Go']], tags=[['VERB']])
    """
    if column not in TAGS:
        raise ParameterError(unknown_name("column", column, TAGS))
    at, found = COLUMNS.index(column), Tagged([], [])
    name = Path(path).name
    for block in _blocks(path, "#"):
        words: list[str] = []
        tags: list[str] = []
        for line, text in block:
            cells = text.split("\t")
            if len(cells) != len(COLUMNS):
                raise DataError(
                    f"{len(COLUMNS)} cells between tabs are expected, but line {line} of {name!r} has {len(cells)}; "
                    "is it CoNLL-U?"
                )
            if re.fullmatch(r"\d+[-.]\d+", cells[0]):
                continue
            if cells[0] != str(len(words) + 1):
                raise DataError(
                    f"word {len(words) + 1} of the sentence is expected in line {line} of {name!r}, got number "
                    f"{cells[0][:20]!r}; an empty line stands between sentences."
                )
            if not cells[1] or cells[at] in ("", MISSING):
                raise DataError(
                    f"a word and its {column} are expected, but line {line} of {name!r} lacks one; fill it in or "
                    "leave the sentence out."
                )
            words.append(cells[1])
            tags.append(cells[at])
        if words:
            found.words.append(words)
            found.tags.append(tags)
    return _some(found, name)


def read_conll(path: str | PathLike[str], word: int = 0, tag: int = -1, comment: str | None = None) -> Tagged:
    """The words and tags of a file with a word per line and an empty line behind each sentence, as CoNLL-2003 has it.

    Cells stand between tabs where the line has one, else between blanks. ``-DOCSTART-`` lines are left out. Gzip is
    unpacked.

    Arguments:
        path: the file.
        word: number of the word's cell, from 0, or from -1 backwards; ``tag`` is the tag's.
        comment: what comments begin with, such as "# id"; words may begin with # too, so there is none unless said.

    Raises ``DataError`` with file and line where a line has not as many cells as the first, or lacks one of the two.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.txt"
    ...     _ = file.write_text("EU NNP B-ORG\\nrejects VBZ O\\n\\nBRUSSELS NNP B-LOC\\n")
    ...     read_conll(file).tags
    [['B-ORG', 'O'], ['B-LOC']]
    """
    found, name, width = Tagged([], []), Path(path).name, 0
    for block in _blocks(path, comment):
        rows = []
        for line, text in block:
            cells = text.split("\t") if "\t" in text else re.split(" +", text.strip(" "))
            if cells[0] == "-DOCSTART-":
                continue
            width = width or len(cells)
            if len(cells) != width or not all(-width <= i < width and cells[i] for i in (word, tag)):
                raise DataError(
                    f"{width} cells, with a word as number {word} and a tag as number {tag}, are expected, but line "
                    f"{line} of {name!r} has {len(cells)}: {text[:60]!r}; mend it, or name other cells."
                )
            rows.append((cells[word], cells[tag]))
        if rows:
            found.words.append([one for one, _ in rows])
            found.tags.append([one for _, one in rows])
    return _some(found, name)


def _blocks(path: str | PathLike[str], comment: str | None) -> Iterator[list[tuple[int, str]]]:
    """The lines between empty ones, numbered, without comments."""
    file = Path(path)
    text, _ = to_utf8(read_bytes(file).removeprefix(BOM_UTF8), file.name, "utf-8")
    block: list[tuple[int, str]] = []
    # not splitlines, which also ends lines at signs that stand inside words
    for line, row in enumerate(re.split("\r\n|\n|\r", text.decode()), 1):
        if not row.strip(" \t"):
            yield block
            block = []
        elif comment is None or not row.startswith(comment):
            block.append((line, row))
    yield block


def _some(found: Tagged, name: str) -> Tagged:
    if not found.words:
        raise DataError(f"sentences of tagged words are expected, but {name!r} has none; give another file.")
    return found


def _list(given: Any) -> Any:
    return (
        given.to_list()
        if hasattr(given, "to_list")
        else given.tolist()
        if hasattr(given, "tolist")
        else given
    )


def _lists(given: Any, what: str) -> list[list[str]]:
    """A list of lists of texts out of what people give."""
    listed = _list(given)
    if not isinstance(listed, list | tuple):
        raise DataError(
            f"a list with a list of {what}s for each sentence is expected, got {type(given).__name__}; give one entry "
            "per sentence."
        )
    lists = []
    for i, one in enumerate(map(_list, listed)):
        if not isinstance(one, list | tuple):
            raise DataError(
                f"a list of {what}s is expected for each sentence, got {type(one).__name__} for sentence {i}; split it "
                f"into {what}s."
            )
        if not one:
            raise DataError(f"sentence {i} has no {what}s; give some, or leave it out.")
        wrong = next((j for j, text in enumerate(one) if not isinstance(text, str) or not text), None)
        if wrong is not None:
            raise DataError(
                f"{what}s are texts, got {one[wrong]!r} as number {wrong} of sentence {i}; give a text."
            )
        lists.append([str(text) for text in one])
    return lists
