"""The command line describes itself: flags from declarations, every command listed, nearest names."""

import pytest

from ganglion.base.fields import fields_of
from ganglion.cli.flags import LEFT_OUT, build_table, read_table
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

COMMANDS = [
    "fit",
    "predict",
    "generate",
    "translate",
    "evaluate",
    "diagnose",
    "trace",
    "report",
    "list",
    "demo",
    "doctor",
]


def test_the_table_of_flags_equals_the_declarations():
    assert read_table() == build_table(), "run: python -m ganglion.cli.flags"


def test_every_parameter_is_a_flag_or_left_out_on_purpose():
    known = {*fields_of(MLPClassifier), *fields_of(MLPRegressor)}
    assert {row["name"] for row in read_table()} | set(LEFT_OUT) >= known


def test_help_lists_every_command_in_full_sentences(run):
    said = run("--help")
    assert said.code == 0
    for name in COMMANDS:
        line = next(line for line in said.out.splitlines() if line.split()[:1] == [name])
        assert line.endswith(".")
        assert "..." not in line


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_fits_a_terminal(run, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = run(name, "--help")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 80
    assert not said.err


def test_nothing_asked_is_help(run):
    said = run()
    assert "Commands:" in said.out + said.err


def test_version(run):
    assert run("--version").out.startswith("ganglion 0.")


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["fit", "x.csv", "--taget", "y"], "--target"),
        (["fitt", "x.csv"], "fit"),
        (["fit"], "file"),
        (["fit", "x.csv", "--seed", "one"], "--seed"),
        (["predict"], "model"),
        (["fit", "x.csv", "--max-epochs"], "--max-epochs"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(run, arguments, near):
    said = run(*arguments)
    assert said.code == 2
    assert not said.out
    assert near in said.err
    assert said.err.count("\n") == 1
