"""Every public class and function says in one sentence what it is, and the examples in docstrings run."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.base import registry

SOURCE = Path(__file__).parents[2] / "src"


def public_modules() -> list[Path]:
    """Modules with something in them, none of whose names starts with an underscore (packages aside)."""
    return sorted(
        path
        for path in (SOURCE / "ganglion").rglob("*.py")
        if (path.name == "__init__.py" or not path.name.startswith("_")) and path.read_text().strip()
    )


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def public_things(
    tree: ast.Module,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The module, its public classes and functions; of overloads only the implementation."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            marks = {ast.unparse(mark) for mark in node.decorator_list}
            if not marks & {"overload", "typing.overload"}:
                yield node


def complaints(source: str) -> list[str]:
    """Public things without a docstring, or whose first line is not one whole sentence."""
    found = []
    for node in public_things(ast.parse(source)):
        name = getattr(node, "name", "the module")
        first = (ast.get_docstring(node) or "").split("\n")[0].strip()
        if not first:
            found.append(f"{name} has no docstring")
        elif not re.search(r"[.?]$", first):
            found.append(f"{name}: the first line is not one sentence: {first!r}")
    return found


@pytest.mark.parametrize("path", public_modules(), ids=name_of)
def test_public_things_say_what_they_are(path: Path) -> None:
    assert not complaints(path.read_text())


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('"""A module."""\ndef f():\n    """Add."""\ndef _hidden(): ...', 0),
        ('"""A module."""\n@overload\ndef f(): ...\ndef f():\n    """Add."""', 0),
        ("def f(): ...", 2),
        ('"""A module."""\nclass Bare: ...', 1),
        ('"""A module."""\ndef f():\n    """Adds one\n    and two."""', 1),
    ],
)
def test_the_check_sees_what_is_missing(source: str, count: int) -> None:
    assert len(complaints(source)) == count


def with_examples() -> list[Path]:
    return [path for path in public_modules() if ">>>" in path.read_text()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", with_examples(), ids=name_of)
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # an example may write a file
    monkeypatch.setattr(registry, "_registered", {kind: dict(t) for kind, t in registry._registered.items()})
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder().find(importlib.import_module(name_of(path))):
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
