"""``ganglion trace``: what it prints, writes and refuses."""

import json
import math
import xml.etree.ElementTree as ElementTree

import pytest


def test_the_pass_is_printed_and_nothing_is_written(run, model, table):
    before = sorted(path.name for path in table.parent.rglob("*"))
    said = run("trace", model, table, "--rows", 20)
    assert said.code == 0
    assert said.out.startswith("output 20x2, loss ")
    for word in ("FORWARD", "BACKWARD", "UPDATE", "CHECK: the products agree with autograd", "z = linear"):
        assert word in said.out
    assert max(map(len, said.out.splitlines())) <= 110
    assert not said.err
    assert sorted(path.name for path in table.parent.rglob("*")) == before


def test_one_row_and_its_neurons(run, model, table):
    said = run("trace", model, table, "--row", 3, "--neurons")
    assert said.out.startswith("output 1x2")
    assert "NEURONS of the first row" in said.out
    assert max(map(len, said.out.splitlines())) <= 110
    found = json.loads(run("trace", model, table, "--row", 3, "--neurons", "--json").out)
    assert len(found["neurons"]) == 16 + 2
    assert found["deviation_from_autograd"] < 1e-10
    assert [layer["kind"] for layer in found["layers"]][-1] == "loss"


def test_the_loss_of_the_command_is_the_models_own(run, model, table):
    """Mean log-loss of the first 30 rows, from the probabilities that the command predicts."""
    head = table.parent / "head.csv"
    lines = table.read_text().splitlines()
    head.write_text("\n".join(lines[:31]) + "\n")
    predicted = json.loads(run("predict", model, head, "--proba", "--json").out)["rows"]
    chances = [row[f"probability of {line.split(',')[-1]}"] for row, line in zip(predicted, lines[1:])]
    expected = -sum(map(math.log, chances)) / 30
    found = json.loads(run("trace", model, table, "--rows", 30, "--json").out)
    assert found["loss"] == pytest.approx(expected, abs=1e-5)


def test_without_the_target_the_outputs_are_summed(run, model, tmp_path):
    path = tmp_path / "no-y.csv"
    path.write_text("age,job,id\n30,cook,a\n40,nurse,b\n")
    said = run("trace", model, path)
    assert said.code == 0
    assert "sum of the outputs" in said.out
    assert "no column 'y'" in said.err


@pytest.mark.parametrize("name", ["figure.svg", "page.html"])
def test_a_figure_or_a_page_is_written_if_asked(run, model, table, tmp_path, name):
    said = run("trace", model, table, "--neurons", "-o", tmp_path / name)
    assert said.code == 0
    assert f"wrote {tmp_path / name}" in said.err
    text = (tmp_path / name).read_text()
    assert "<script" not in text
    assert text.count("<svg") == (1 if name.endswith("svg") else 2)
    if name.endswith("svg"):
        ElementTree.fromstring(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--row", "0"], "--row counts from 1"),
        (["--row", "301"], "has 300 rows whose target is known, got row 301"),
        (["--rows", "0"], "--rows"),
        (["-o", "x.png"], "a figure is written as .svg and a page as .html"),
        (["-o", "no/x.svg"], "does not exist"),
    ],
)
def test_what_is_refused_is_one_sentence(run, model, table, arguments, words):
    said = run("trace", model, table, *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not said.out
