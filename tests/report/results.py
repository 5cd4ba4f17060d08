"""Small results of every kind for the tests of the page."""

import numpy as np

from ganglion.base.record import TrainingRecord
from ganglion.evaluate import compare_scores, worst_mistakes
from ganglion.report import ColumnRow, Healing, ModelScore, ReportInput, Reproduce

HOSTILE = (
    '</title><script>alert(1)</script><img src="http://evil.test/x" onerror="alert(2)">{{ 7*7 }}{% raw %}'
    "' onclick='alert(3)' javascript:alert(4) ]]><!-- \x00\x1b\u202e\ud800 $\\frac{$ </style><a href=//evil.test>"
)


def training(task, epochs=4):
    rows = range(1, epochs + 1)
    return TrainingRecord(
        task=task,
        settings={"lr": 0.01, "hidden_layer_sizes": (64, 64)},
        plan={"device": "cpu"},
        history=[
            {"epoch": e, "step": 9 * e, "loss": 1 / e, "val_loss": 1.1 / e, "val_score": 1 - 1 / (e + 1)}
            for e in rows
        ],
        layers=[
            {"step": 9 * e, "epoch": e, "layer": f"{i}", "index": i, "grad_norm": 0.1, "update_ratio": 1e-3}
            for e in rows
            for i in range(2)
        ],
        best_epoch=3,
        seconds=4.2,
        stopped="early",
        data={"n_parameters": 4321},
    )


def models(y, predictions, metric, classes=None):
    return [ModelScore.of(one, seconds=1.5) for one in compare_scores(y, predictions, metric, classes)]


def of_classes(names, n=120, columns=("age", "city"), word=str):
    rng = np.random.default_rng(0)
    k = len(names)
    codes = np.arange(n) % k
    y = np.array([names[c] for c in codes], dtype=object)
    proba = 0.3 * rng.dirichlet(np.ones(k), n) + 0.7 * np.eye(k)[np.where(rng.random(n) < 0.8, codes, 0)]
    table = {name: rng.normal(size=n) for name in columns}
    task = "binary" if k == 2 else "multiclass"
    dummy = np.full((n, k), 1 / k)
    return ReportInput(
        title=word("Predicting income"),
        target=word("income"),
        task=task,
        record=training(task),
        created="1 January 2026",
        source=word("people.csv"),
        plan=word("120 rows x 2 columns -> MLP"),
        split_note=word("These rows chose the epoch."),
        columns=[ColumnRow(name=c, kind="number", missing=0.1, summary=word("0 to 1"), treatment=word("scaled"))
                 for c in columns],
        facts={word("rows to train on"): 1234, "note": word("none")},
        findings=[{"name": "dead_units", "severity": "warning", "where": word("layer 1"), "meaning": word("Silent."),
                   "evidence": {word("share"): 0.5}, "remedy": {"sentence": word("Use a smaller lr.")}}],
        models=models(y, {"network": proba, "dummy": dummy}, "accuracy", names),
        classes=names,
        y_true=y,
        proba=proba,
        importances=[(c, 0.1 / (i + 1), 0.01) for i, c in enumerate(columns)],
        mistakes=worst_mistakes(y, proba, classes=names, table=table),
        healing=Healing(finding=word("dead_units"), changed={word("lr"): (0.1, word("0.01"))}, metric="accuracy",
                        before=0.7, after=0.8),
        reproduce=Reproduce(command=word("ganglion fit people.csv"), python=word("import ganglion"),
                            versions={word("torch"): word("2.13.0")}, seeds={word("split"): 0}, data_hash=word("ab12")),
        deploy={word("In Python"): word("model = ganglion.load(path)")},
    )  # fmt: skip


def of_numbers(outputs=("price",), n=90):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(n, len(outputs))) * 100
    guess = y + rng.normal(size=y.shape)
    if len(outputs) == 1:
        y, guess = y[:, 0], guess[:, 0]
    mean = np.zeros_like(y) + y.mean(axis=0)
    return ReportInput(
        title="Predicting price",
        target=list(outputs),
        task="regression",
        record=training("regression"),
        models=models(y, {"network": guess, "dummy": mean}, "r2"),
        y_true=y,
        prediction=guess,
        mistakes=worst_mistakes(y, guess, table={"x": np.arange(n)}),
        importances=[("x", 0.5, 0.1)],
    )
