"""A module imports only from lower floors; the table in docs/design.md is the law, so neither can drift."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ganglion"
DESIGN = ROOT / "docs" / "design.md"
FACADE = ("__init__.py", "__main__.py")  # in the package's own folder: they stand above all rooms


def floors() -> dict[str, int]:
    """Room -> floor, read from the rows ``| 3 | `train`, `diagnose` |`` of the design document."""
    table = {}
    for row in re.finditer(r"^\| *(\d+) *\|(.*)\|$", DESIGN.read_text(), re.MULTILINE):
        without_remarks = re.sub(r"\([^)]*\)", "", row[2])
        for room in re.findall(r"`(\w+)`", without_remarks):
            table[room] = int(row[1])
    return table


FLOORS = floors()


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported name with its line, also inside functions and through ``import_module("...")``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def violations(source: str, room: str) -> list[str]:
    """What a module of ``room`` imports against the rules."""
    wrong = []
    for line, name in imports(ast.parse(source)):
        parts = name.split(".")
        if name.startswith("."):
            wrong.append(f"line {line}: {name} is relative; write ganglion.{room}...")
        elif parts == ["ganglion"]:
            wrong.append(f"line {line}: imports the façade; import from the room itself")
        elif parts[0] == "ganglion" and parts[1] != room and FLOORS.get(parts[1], 99) >= FLOORS[room]:
            wrong.append(
                f"line {line}: {name} (floor {FLOORS.get(parts[1], '?')}) in {room} (floor {FLOORS[room]})"
            )
    return wrong


def modules() -> list[Path]:
    return sorted(
        path for path in PACKAGE.rglob("*.py") if not (path.parent == PACKAGE and path.name in FACADE)
    )


def test_the_table_was_read() -> None:
    assert FLOORS["base"] == 0
    assert FLOORS["train"] == FLOORS["diagnose"] == 3
    assert FLOORS["jobs"] == FLOORS["web"] == 8
    assert len(FLOORS) > 20


def test_every_module_stands_in_a_room_of_the_table() -> None:
    homeless = {path.relative_to(PACKAGE).parts[0] for path in modules()} - set(FLOORS)
    assert not homeless, f"not in the table of docs/design.md: {sorted(homeless)}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    assert not violations(path.read_text(), room)


@pytest.mark.parametrize(
    ("source", "room", "wrong"),
    [
        ("from ganglion.base.errors import DataError", "data", False),
        ("from ganglion.train.loop import fit", "train", False),
        ("import torch, os.path", "base", False),
        ("from ganglion.models.mlp import MLP", "objectives", True),
        ("def late():\n    from ganglion.cli import main", "train", True),
        ("import ganglion.report.page", "evaluate", True),
        ("import ganglion", "cli", True),
        ("from ganglion import fit", "cli", True),
        ("from . import loop", "train", True),
        ("importlib.import_module('ganglion.web')", "train", True),
        ("from ganglion.cellar import wine", "cli", True),
    ],
)
def test_the_walk_sees_what_is_wrong(source: str, room: str, wrong: bool) -> None:
    assert bool(violations(source, room)) is wrong


def test_importing_the_facade_is_light() -> None:
    heavy = ("torch", "sklearn", "pandas", "matplotlib", "numpy")
    code = f"import sys, ganglion; print(*[name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not run.stdout.split(), "import ganglion must wait with its libraries until one is used"
