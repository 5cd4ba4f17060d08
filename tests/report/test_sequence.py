"""The page of sequences: its sections in order for every task, and deaf to whatever stands in the texts."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from ganglion.base.errors import GanglionError
from ganglion.base.record import TrainingRecord
from ganglion.plot import plot_horizon, plot_word_attention
from ganglion.report import Drawing, ModelScore, Part, Passage, Piece, ReportInput, Reproduce, render
from ganglion.report.sections.sequence import LETTERS, PIECES, passage

_spec = importlib.util.spec_from_file_location("page_tests", Path(__file__).with_name("test_page.py"))
page_tests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(page_tests)
results = page_tests.results

MAIN = {"forecast": "mase", "language": "nats", "translation": "bleu", "tagging": "tags"}


def part(word=str):
    return Part(
        id="read",
        name=word("Sentences"),
        title=word("What it reads"),
        lead=word("Some of them."),
        figures=[
            Drawing(axes=plot_horizon({word("network"): [1.0, 2.0]}), title=word("Errors"), caption=word("By step.")),
            Drawing(axes=plot_word_attention([word("a")] * 30, [word("b")] * 30, np.eye(30)), title="Attention"),
        ],
        heads=[word("word"), "count"],
        rows=[(word("dog"), 1234), (word("cat"), None)],
        numbers=[1],
        passages=[
            Passage(pieces=[Piece(text=word("dogs"), weight=0.5, mark="poor", under=word("VERB, is NOUN")),
                            Piece(text=word("bark"), under=word("VERB"))], name=word("first"), note=word("a note")),
            Passage(pieces=[Piece(text=word("To be "), mark="good"), Piece(text=word("or not"), weight=float("nan"))]),
            Passage(pieces=word("One line\n  and another")),
        ],
    )  # fmt: skip


def of_sequences(task, word=str, **more):
    metric = MAIN.get(task)
    result = results.of_classes(["no", "yes"], word=word)
    if metric:
        result = ReportInput(
            title=word("A title"),
            target="y",
            task=task,
            record=results.training(task),
            facts={word("texts"): word("12")},
            notes=[word("some are long")],
            findings=result.findings,
            models=[
                ModelScore(name="network", scores={metric: 0.25}),
                ModelScore(name="copy", scores={metric: 0.5}),
            ],
            reproduce=Reproduce(command="ganglion fit texts.csv"),
            deploy={"Python": "import ganglion"},
        )
    if task == "tagging":
        result.classes, result.y_true = ["a", "b"], np.array(["a", "b"] * 20)
        result.prediction = np.array(["a"] * 40)
    result.family, result.unit, result.split, result.parts = "sequence", "texts", "test texts", [part(word)]
    return result


SECTIONS = ["scores", "read", "diagnosis", "data", "training", "quality", "layers", "reproduce", "deploy"]


@pytest.mark.parametrize("task", ["binary", *MAIN])
def test_every_task_has_its_sections_in_order(task):
    page = page_tests.check_harmless(render(of_sequences(task)))
    without = {"quality"} if task in ("forecast", "language", "translation") else set()
    assert page_tests.sections(page) == [one for one in SECTIONS if one not in without]
    shown = " ".join("".join(page.text).split())
    for words in (
        "What it reads",
        "Some of them.",
        "By step.",
        "1,234",
        "VERB, is NOUN",
        "To be or not",
        "a note",
    ):
        assert words in shown
    assert task == "binary" or "Some are long." in shown


@pytest.mark.parametrize("task", ["binary", "tagging", "forecast"])
def test_hostile_texts_stay_text(task):
    word = lambda text: results.HOSTILE  # noqa: E731
    text = render(of_sequences(task, word))
    page = page_tests.check_harmless(text)
    assert "read" in page_tests.sections(page)
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\ud800]", text)
    text.encode()


def test_pieces_as_they_are():
    text = render(of_sequences("language"))
    assert 'style="--weight: 0.50"><span>dogs</span><small>VERB, is NOUN</small>' in text
    assert (
        '<p class="text" dir="auto"><span class="piece good">To be </span><span class="piece">or not</span></p>'
        in text
    )
    assert ">One line\n  and another</span>" in text
    strange = Passage(pieces=[Piece(text="a", weight=9.0, mark='" onclick=x'), Piece(text="b", weight=-1.0)])
    shown = passage(strange)["pieces"]
    assert [(one["shade"], one["mark"]) for one in shown] == [("1.00", ""), ("", "")]


def test_long_texts_are_cut_and_say_so():
    assert not passage(Passage(pieces="x" * LETTERS))["cut"]
    long = passage(Passage(pieces="x" * (LETTERS + 1)))
    assert long["cut"]
    assert len(long["pieces"][0]["text"]) == LETTERS
    many = passage(Passage(pieces=[Piece(text="x")] * (PIECES + 1)))
    assert many["cut"]
    assert len(many["pieces"]) == PIECES


@pytest.mark.parametrize("name", ["read", "scores"])
def test_sections_have_ids_of_their_own(name):
    result = of_sequences("language")
    result.parts = [part(), Part(id=name, name="x", title="x")]
    with pytest.raises(GanglionError, match=name):
        render(result)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("forecast", "Score per epoch (skill: 1 − MSE / MSE of the naive forecast)"),
        ("tagging", "Score per epoch (right tags)"),
        ("binary", "Score per epoch (accuracy)"),
        ("language", "Score per epoch"),
    ],
)
def test_the_score_of_an_epoch_is_named(task, words):
    result = of_sequences(task)
    assert f"<h3>{words}</h3>" in render(result)
    for row in result.record.history:
        row["val_score"] = -row["val_loss"]
    assert "Score per epoch" not in render(result)  # the figure of the loss tells as much


def test_wide_figures_have_a_row_of_their_own():
    text = render(of_sequences("language"))
    assert text.count('class="drawing wide"') == 1


def test_an_empty_result_is_still_a_page():
    result = ReportInput(title="x", target="y", task="language", family="sequence", record=TrainingRecord())
    assert page_tests.sections(page_tests.check_harmless(render(result))) == []
