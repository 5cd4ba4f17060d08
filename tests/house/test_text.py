"""What may not stand in the text: print, assert, overlong files and functions, private places."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60  # lines of its body

# Places that exist on one machine or in one network only. Written so that this file does not match itself.
PRIVATE = {
    "a path of one machine": re.compile(r"(?<![\w.~-])/(?:home|root|work|Users)/(?!\.\.\.)[\w.-]+"),
    "workplace tooling": re.compile(r"\.lib[r]ary\b"),
    "a host of one network": re.compile(
        r"https?://(?:[\w-]+\.)*(?:internal|local|corp|lan|intranet)\b"
        r"|https?://(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.[\d.]+"
    ),
    "a package index that is not public": re.compile(
        r"index-url[= ]+(?!https://(?:pypi\.org|download\.pytorch\.org)/)\S+|trusted-h[o]st"
    ),
}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def committed_files() -> list[Path]:
    """What git keeps; outside a checkout, everything in the folders that would be kept."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [
        path for folder in ("src", "tests", "docs") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def is_print(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body; its signature and its docstring are free."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def private_places(text: str) -> list[tuple[int, str]]:
    """Line and kind of everything that only makes sense in one place."""
    return [
        (text.count("\n", 0, found.start()) + 1, f"{kind}: {found[0]}")
        for kind, pattern in PRIVATE.items()
        for found in pattern.finditer(text)
    ]


def test_the_library_neither_prints_nor_asserts() -> None:
    found = [
        f"{at(path, node.lineno)} {'print' if is_print(node) else 'assert'}"
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text()))
        if is_print(node) or isinstance(node, ast.Assert)
    ]
    assert not found


def test_no_function_is_too_long() -> None:
    found = [
        f"{at(path, node.lineno)} {node.name} has {length(node)} lines"
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LONGEST_FUNCTION
    ]
    assert not found


def test_no_file_is_too_long() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in python_files("src", "tests", "benchmarks")}
    assert not [f"{at(path, count)}" for path, count in lines.items() if count > LONGEST_FILE]


def test_committed_text_names_no_private_place() -> None:
    found = []
    for path in committed_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture, a table file
        found += [f"{at(path, line)} {what}" for line, what in private_places(text)]
    assert not found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see https://pypi.org/simple and docs/home/page.md", 0),
        ("pip install torch --index-url https://download.pytorch.org/whl/cpu", 0),
        ("pip install torch --{}-url https://packages.example.com/simple".format("index"), 1),
        ("open('/{}/someone/x')".format("home"), 1),
        ("data in /{}/shared/x".format("work"), 1),
        ("http://registry.{}/x".format("internal"), 1),
        ("http://10.{}/x".format("1.2.3"), 1),
    ],
)
def test_the_search_sees_private_places(text: str, count: int) -> None:
    assert len(private_places(text)) == count


def test_the_measure_of_functions_is_their_body() -> None:
    source = 'def f(a,\n      b):\n    """One.\n\n    Two.\n    """\n    a = b\n\n    return a\n'
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert length(function) == 3
