"""The badge follows from the scores and the findings, and from nothing else."""

import pytest

from ganglion.base.record import TrainingRecord
from ganglion.report import ModelScore, ReportInput
from ganglion.report.verdict import against, finding_view, headline, verdict

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
