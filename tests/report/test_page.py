"""The page: whole for every task, and deaf to whatever stands in the data."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ganglion.base.errors import GanglionError
from ganglion.base.record import TrainingRecord
from ganglion.report import ReportInput, render

_spec = importlib.util.spec_from_file_location("results", Path(__file__).with_name("results.py"))
results = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(results)

VOID = {"meta", "link", "br", "img", "input", "hr"}
SECTIONS = ["scores", "diagnosis", "data", "training", "quality", "importance", "mistakes", "layers", "reproduce",
            "deploy"]  # fmt: skip


class Page(HTMLParser):
    """Elements with their attributes, visible text, ids, and whether the tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open, self.style = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    @property
    def ids(self):
        return [attrs["id"] for _, attrs in self.elements if "id" in attrs]


def check_harmless(text):
    page = Page(text)
    assert not page.open
    assert not {tag for tag, _ in page.elements} & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
    }
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "action"):
                assert value == "data:," or re.fullmatch(r"#[\w-]+", value), (tag, name, value)
            if name == "style":
                assert "http" not in value
                assert not re.search(r"url\((?!#)", value)
    assert "url(" not in page.style
    assert "@import" not in page.style
    assert len(page.ids) == len(set(page.ids))
    targets = {a["href"][1:] for tag, a in page.elements if tag == "a"}
    assert targets <= set(page.ids)
    return page


def sections(page):
    return [attrs["id"] for tag, attrs in page.elements if tag == "section" and "id" in attrs]


def test_hostile_names_and_cells_stay_text():
    word = lambda text: results.HOSTILE  # noqa: E731
    names = [results.HOSTILE, results.HOSTILE + "2"]
    columns = tuple(f"{results.HOSTILE}{i}" for i in range(3))
    text = render(results.of_classes(names, columns=columns, word=word))
    page = check_harmless(text)
    assert sections(page) == SECTIONS
    shown = "".join(page.text)
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\ud800]", text)
    text.encode()


def test_policy_forbids_scripts_and_loads():
    page = Page(render(results.of_numbers()))
    policy = next(
        a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert "prefers-color-scheme: dark" in page.style
    assert "@media print" in page.style


def test_first_screen_speaks_plainly():
    result = results.of_classes(["no", "yes"])
    result.record.data["classes"] = {"no": 60, "yes": 60}
    shown = " ".join("".join(Page(render(result)).text).split())
    assert (
        "Of 100 rows it has never seen, the network gets 91 right. Always answering “no” would get 50 right."
        in shown
    )
    assert "Works, with something to look at" in shown
    assert shown.index("91 right") < shown.index("Scores beside simpler models")


@pytest.mark.parametrize(
    "result",
    [
        results.of_classes(["no", "yes"]),
        results.of_classes(list(range(10))),
        results.of_classes([f"class {i}" for i in range(40)], n=400),
        results.of_numbers(),
        results.of_numbers(("length", "width", "height", "weight", "age")),
    ],
    ids=["binary", "ten classes", "forty classes", "regression", "five outputs"],
)
def test_every_task_has_a_whole_page(result):
    page = check_harmless(render(result))
    found = sections(page)
    assert [one for one in SECTIONS if one in found] == found
    assert {"scores", "training", "quality", "importance", "mistakes", "layers"} <= set(found)
    assert sum(tag == "svg" for tag, _ in page.elements) >= 7
    assert all(a.get("aria-label") for tag, a in page.elements if tag == "svg")


def test_two_hundred_columns_and_no_baseline():
    result = results.of_classes(["a", "b"], columns=tuple(f"{'long_' * 40}{i}" for i in range(200)))
    result.models = result.models[:1]
    text = render(result)
    page = check_harmless(text)
    assert len(text) < 300_000
    assert "194 more are left out" in "".join(page.text)
    assert "Scores beside simpler models" not in text


def test_empty_result_is_still_a_page():
    page = check_harmless(
        render(ReportInput(title="Nothing", target="y", task="binary", record=TrainingRecord()))
    )
    assert sections(page) == []
    assert "Not scored" in "".join(page.text)


def test_the_same_result_gives_the_same_page():
    assert render(results.of_numbers()) == render(results.of_numbers())


def test_findings_may_be_objects_and_scores_incomplete():
    result = results.of_numbers()
    for one in result.models:
        one.scores, one.interval, one.behind = {"mae": 1.0, "rmse": float("inf")}, None, None
    result.findings = [type("Finding", (), {"name": "leakage", "severity": "critical", "remedy": None})()]
    page = check_harmless(render(result))
    assert "Do not rely on it yet" in "".join(page.text)


def test_unknown_family_and_task_get_one_sentence():
    result = results.of_numbers()
    result.family = "tables"
    with pytest.raises(GanglionError, match="did you mean 'table'"):
        render(result)
    result.task = "ranking"
    with pytest.raises(GanglionError, match="ranking"):
        render(result)
