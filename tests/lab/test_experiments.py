"""Every experiment in its reduced form bears its own verdict, under a seed that each commit draws anew."""

import ast
import csv
import re
import subprocess
from pathlib import Path

import pytest

from ganglion import lab
from ganglion.base.errors import GanglionError
from ganglion.lab.experiment import NOT_SHOWN, Check, Experiment, Setting, Shown
from ganglion.lab.result import Result

ROOT = Path(__file__).parents[2]
KNOWN = lab.experiments()
LEAST = 45

# Wrong statements of the syllabus's corrections whose areas are built so far: neurons, starts, steps, penalties,
# phenomena. (Of the others, W68 and W87 are wrong by definition.)
WRONG = {
    "W1", "W3", "W5", "W8", "W9", "W18", "W19", "W20", "W23", "W32", "W35", "W37", "W43", "W47", "W49", "W55",
    "W57", "W58", "W62", "W63",
}  # fmt: skip


def seed_of_commit() -> int:
    """A seed drawn from the commit's hash; 0 outside a checkout."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(found.stdout[:6], 16) if found.returncode == 0 else 0


SEED = seed_of_commit()


@pytest.mark.parametrize("name", KNOWN)
def test_experiment(name):
    result = lab.run(name, seed=SEED, quick=True)
    failed = [check.sentence for check in result.shown.checks if not check.holds]
    assert not failed, f"seed {SEED}: {failed}"
    assert result.verdict == KNOWN[name].verdict
    assert result.shown.checks
    assert result.shown.table
    assert all(len(line) <= 110 for line in str(result).splitlines())
    ax = result.plot()
    assert ax.has_data()
    ax.figure.canvas.draw()


def test_there_are_enough():
    assert len(KNOWN) >= LEAST


def test_every_wrong_statement_is_put_right():
    corrected = {claim for e in KNOWN.values() for claim in e.corrects}
    assert corrected >= WRONG


def test_findings_name_experiments_that_are_there():
    named = set()
    for file in (ROOT / "src" / "ganglion" / "diagnose").rglob("*.py"):
        named |= set(re.findall(r'lab="([\w-]+)"', file.read_text()))
    assert named
    assert not named - set(KNOWN)


def test_texts():
    for e in KNOWN.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", e.name), e.name
        assert e.claim.endswith(".")
        assert e.method.endswith(".")
        assert e.reading.endswith(".")
        assert all(re.fullmatch(r"W\d+", claim) for claim in e.corrects), e.name


def made(*checks: Check) -> Result:
    e = Experiment("x", lambda lab: None, "optimisation", "A.", "B.", "holds", "C.", (), (), ())
    return Result(e, Setting(), Shown({"row": {"a": [1.0, 2.0], "b": 3}}, list(checks), lambda ax: None), 0.1)


def test_a_verdict_falls_with_its_checks():
    good, bad = Check("one is one", True), Check("one is two", False)
    assert made(good).verdict == "holds"
    assert made(good, bad).verdict == NOT_SHOWN
    assert "NO       one is two" in str(made(bad))
    assert made(good).to_dict()["table"]["row"]["a"] == {
        "mean": 1.5,
        "std": pytest.approx(0.7071, abs=1e-4),
        "n": 2,
    }


@pytest.mark.parametrize(
    ("check", "holds"),
    [
        (Check.below("x", [1, 2], 3), True),
        (Check.below("x", [1, 3], 3), False),
        (Check.below("x", [1, float("nan")], 3), False),
        (Check.above("x", [1, float("inf")], 0), False),
        (Check.above("x", [1, 2], 0), True),
        (Check.between("x", [1, 2], 1, 2), True),
        (Check.between("x", [1, 2], 1, 1.9), False),
        (Check.more("x", [3, 5], [1], by=2), True),
        (Check.more("x", [3, 3], [1], by=2), False),
        (Check.more("x", [3], [1], times=3), False),
        (Check.more_often("x", [3, 1], [1, 3], share=0.5), True),
        (Check.more_often("x", [3, 1], [1, 3]), False),
    ],
)
def test_checks(check, holds):
    assert check.holds is holds


def test_same_seed_same_numbers():
    name = "linear-collapse"
    first, again, other = (lab.run(name, seed=s, quick=True).to_dict()["table"] for s in (1, 1, 2))
    assert first == again != other


def test_an_unknown_experiment():
    with pytest.raises(GanglionError, match="did you mean 'xor'"):
        lab.run("xorr")


def test_no_experiment_states_its_verdict_as_a_constant():
    """A check is made from values, never from a bare True."""
    for file in (ROOT / "src" / "ganglion" / "lab" / "chapters").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Check":
                assert not any(isinstance(a, ast.Constant) and a.value is True for a in node.args), file.name


def test_the_syllabus_names_the_experiments_of_each_concept():
    shown: dict[str, list[str]] = {}
    for e in KNOWN.values():
        for concept in e.concepts:
            shown.setdefault(concept, []).append(e.name)
    with (ROOT / "docs" / "syllabus.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["concept"]: row["lab"] for row in csv.DictReader(file)}
    assert not set(shown) - set(rows)
    assert {k: v for k, v in rows.items() if v} == {k: "; ".join(v) for k, v in shown.items()}
