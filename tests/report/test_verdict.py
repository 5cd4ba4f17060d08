"""The badge follows from the scores and the findings, and from nothing else."""

import pytest

from ganglion.base.record import TrainingRecord
from ganglion.report import ModelScore, ReportInput
from ganglion.report.verdict import against, bar_title, bars, finding_view, headline, verdict

HEALTHY = [{"name": "healthy", "severity": "info"}]


def result(models, task="binary", **more):
    return ReportInput(title="t", target="y", task=task, record=TrainingRecord(), models=models, **more)


def scored(name, value, behind=None, metric="accuracy"):
    return ModelScore(name=name, scores={metric: value}, behind=behind)


def badge(models, findings=HEALTHY, **more):
    return verdict(result(models, **more), [finding_view(one) for one in findings])


NETWORK = scored("network", 0.86)
DUMMY = scored("dummy", 0.76, (0.09, 0.11))


@pytest.mark.parametrize(
    ("models", "findings", "level", "word"),
    [
        ([NETWORK, DUMMY, scored("trees", 0.861, (-0.01, 0.008))], HEALTHY, "good", "Good to use"),
        ([NETWORK, scored("dummy", 0.855, (-0.01, 0.02))], HEALTHY, "poor", "Not useful"),
        ([NETWORK, DUMMY, scored("trees", 0.88, (-0.03, -0.01))], HEALTHY, "caution", "simpler model"),
        ([NETWORK, DUMMY], [{"name": "overfitting", "severity": "warning"}], "caution", "look at"),
        ([NETWORK, DUMMY], [{"name": "leakage", "severity": "critical"}], "poor", "Do not rely"),
        ([NETWORK], HEALTHY, "note", "Not compared"),
        ([], HEALTHY, "note", "Not scored"),
    ],
)
def test_badges(models, findings, level, word):
    found = badge(models, findings)
    assert found.level == level
    assert word in found.badge


def test_who_is_ahead_is_named():
    trees = scored("trees", 0.9, (-0.05, -0.03))
    assert badge([NETWORK, DUMMY, trees]).reason == "The boosted trees are clearly ahead."
    linear = scored("linear", 0.9, (-0.05, -0.03))
    assert badge([NETWORK, DUMMY, linear]).reason == "The linear model is clearly ahead."


def test_luck_is_not_called_better():
    rows = against(result([NETWORK, DUMMY, scored("linear", 0.858, (-0.002, 0.006))]))
    assert [level for level, _ in rows] == ["good", "note"]


def test_without_intervals_of_differences_lower_errors_are_better():
    models = [scored("network", 1.0, metric="mae"), scored("dummy", 2.0, metric="mae")]
    assert badge(models, task="regression", metric="mae").level == "good"


def text(found):
    return "".join(piece for piece, _ in headline(found))


def test_headlines():
    assert text(result([NETWORK])) == "Of 100 rows it has never seen, the network gets 86 right."
    uneven = ModelScore(name="network", scores={"accuracy": 0.9, "balanced_accuracy": 0.55})
    assert "it gets 55 of 100 right" in text(result([uneven, DUMMY]))
    many = ModelScore(name="network", scores={"r2": 0.8, "mae": 5.0})
    assert "off by 5 on average" in text(result([many], task="regression"))
    two = result([many], task="regression", outputs=["a", "b"])
    assert (
        text(two)
        == "On rows it has never seen, the network explains 80% of the differences between rows in its 2 targets."
    )
    assert "nothing was scored" in text(result([]))


def test_scores_alone_are_not_called_clear():
    network = scored("network", 0.9, metric="mase")
    models = [network, scored("last value", 1.2, metric="mase"), scored("words", 0.8, metric="mase"),
              scored("copy", 0.9, metric="mase")]  # fmt: skip
    told = result(models, task="forecast", split="test windows")
    assert against(told) == [
        ("good", "Better than the last value"),
        ("poor", "Behind the weighted words"),
        ("note", "As good as the text itself"),
    ]
    assert verdict(told, []).reason == "The weighted words are ahead."
    told.models = models[:2]
    assert verdict(told, []).reason == "No simpler model is better on the test windows."


@pytest.mark.parametrize(
    ("task", "values", "sentence", "title", "lengths"),
    [
        ("forecast", (0.5, 1.0), "On the test part the network has a mean absolute scaled error of 0.500. "
         "The counts of three characters have 1.000.", "Mean absolute scaled error (shorter is better)", [50, 100]),
        ("translation", (0.25, 0.1), "On the test part the network has a BLEU of 25.0. "
         "The counts of three characters have 10.0.", "BLEU", [25, 10]),
        ("tagging", (0.957, 0.9), "Of 100 words it has never seen, the network tags 96 right.", "Right tags",
         [95.7, 90]),
    ],
)  # fmt: skip
def test_first_screen_of_sequences(task, values, sentence, title, lengths):
    told = result([], task=task, split="test part")
    names = ("network", "trigram")
    told.models = [scored(name, value, metric=told.main_metric) for name, value in zip(names, values)]
    assert text(told) == sentence
    assert bar_title(told) == title
    assert [bar["length"] for bar in bars(told)] == pytest.approx(lengths)
    told.models = [scored("network", 1.0, metric="loss")]
    assert "was not measured" in text(told)


def test_what_is_given_is_said():
    told = result([NETWORK], said=[("It writes ", False), ("well", True)])
    assert headline(told) == [("It writes ", False), ("well", True)]
