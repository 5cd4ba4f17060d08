"""docs/syllabus.csv: every concept once, and whatever a row claims to exist does exist."""

import ast
import csv
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONCEPTS = ROOT.parent / "shared" / "syllabus" / "concepts.csv"  # beside a checkout that has the syllabus
COLUMNS = ["concept", "name", "public", "test", "lab", "issue"]
ISSUES = {"2", "3", "4", "5", "6", "7", "open"}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


ROWS = read(ROOT / "docs" / "syllabus.csv")


def entries(column: str) -> list[tuple[str, str]]:
    """Concept and value of every filled cell; several values stand between semicolons."""
    return [(row["concept"], part.strip()) for row in ROWS for part in row[column].split(";") if part.strip()]


def resolves(public: str) -> bool:
    """Whether ``MLPClassifier`` or ``train.fit`` is something that ``ganglion`` gives."""
    try:
        return pkgutil.resolve_name(f"ganglion.{public}") is not None
    except (ImportError, AttributeError, ValueError):
        return False


def exists(test: str) -> bool:
    """Whether ``tests/file.py::function`` (or ``::Class::method``) stands in the source."""
    name, *path = test.split("::")
    file = ROOT / name
    if not path or not path[-1].startswith("test") or not name.startswith("tests/") or not file.is_file():
        return False
    body: list[ast.stmt] = ast.parse(file.read_text()).body
    for part in path:
        kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [node for node in body if isinstance(node, kinds) and node.name == part]
        if not found:
            return False
        body = found[0].body
    return True


def test_every_concept_stands_once() -> None:
    concepts = [row["concept"] for row in ROWS]
    assert len(concepts) == len(set(concepts)) == 266
    assert list(ROWS[0]) == COLUMNS
    assert all(row["name"] and None not in row and None not in row.values() for row in ROWS)


def test_the_concepts_are_those_of_the_syllabus() -> None:
    if not CONCEPTS.is_file():
        pytest.skip("the syllabus lies beside some checkouts only")
    assert [(row["concept"], row["name"]) for row in ROWS] == [
        (row["id"], row["name"]) for row in read(CONCEPTS)
    ]


def test_every_row_names_its_issue() -> None:
    assert not [row["concept"] for row in ROWS if row["issue"] not in ISSUES]


def test_public_names_exist() -> None:
    assert not [f"{concept}: {public}" for concept, public in entries("public") if not resolves(public)]


def test_tests_exist() -> None:
    assert not [f"{concept}: {test}" for concept, test in entries("test") if not exists(test)]


def test_what_is_implemented_is_tested() -> None:
    assert not [row["concept"] for row in ROWS if bool(row["public"].strip()) != bool(row["test"].strip())]


def test_the_checks_see_what_is_missing() -> None:
    assert resolves("base.files.read_model")
    assert not resolves("base.files.read_mind")
    assert not resolves("NoSuchEstimator")
    here = "tests/house/test_syllabus.py"
    assert exists(f"{here}::test_tests_exist")
    assert not any(map(exists, [here, f"{here}::test_nothing", f"{here}::resolves", "tests/none.py::test_x"]))
