"""The judgement of the main job: the network beside its baselines on the same test rows."""

from typing import Any

import numpy as np

from ganglion.base.named import name_in
from ganglion.diagnose import diagnose
from ganglion.evaluate import baselines, compare_scores
from ganglion.evaluate.baselines import Baseline
from ganglion.jobs.job import Job
from ganglion.jobs.result import Result


def judge(result: Result, compare: bool, time_limit: float | None) -> None:
    """Score the network and the baselines on the test rows; the verdict then rests on these rows."""
    from ganglion.report.inputs import ModelScore

    job, estimator = result.job, result.estimator
    truth = job.y[result.test]
    classes = estimator.classes_.tolist() if job.task.classification else None
    predictions = {"network": result.answer}
    others: dict[str, Baseline] = {}
    means = estimator._loss(smooth=False).mean
    if not means:
        job.notes.append(
            f"loss={estimator.loss!r} makes it predict a quantile, which neither R² nor baselines that predict means "
            "can judge: no baselines were trained"
        )
    if compare and means:
        others = job.baselines(result, classes, time_limit)
        predictions |= {k: b.proba if classes else b.prediction for k, b in others.items()}
    compared = compare_scores(truth, predictions, result.metric, classes)
    result.models = [
        ModelScore.of(
            row,
            seconds=others[row.name].seconds if row.name in others else estimator.record_.seconds,
            note=others[row.name].note if row.name in others else "",
        )
        for row in compared
    ]
    record = estimator.record_
    if not means:  # the diagnosis rests on the estimator's own scores
        return
    record.data["n_validation"] = len(result.test)
    for model in result.models:
        scores = record_scores(model.scores, job, estimator)
        if model.name == "network":
            record.scores["validation"] = scores
        else:
            own = record.baselines.get(model.name, {}) if model.name == "dummy" else {}
            record.baselines[model.name] = {k: v for k, v in own.items() if k == "loss"} | scores
    estimator.diagnosis_ = diagnose(record)


def run_baselines(result: Result, classes: list[Any] | None, time_limit: float | None) -> dict[str, Baseline]:
    """The three baselines on the numbers that the network sees, of pictures on small ones."""
    job = result.job
    inputs = job.baseline_inputs(result.estimator, result.train, result.test)
    return baselines(
        inputs.train,
        job.y[inputs.rows],
        inputs.test,
        job.y[result.test],
        "regression" if classes is None else job.task.kind,
        cardinalities=inputs.cardinalities,
        classes=classes,
        time_limit=time_limit,
    )


def record_scores(scores: Any, job: Job, estimator: Any) -> dict[str, float]:
    """Scores in the words of a training record; losses in the units that training used, where a score has them."""
    if job.task.classification:
        kept = {k: scores[k] for k in ("accuracy", "balanced_accuracy") if k in scores}
        surprise = "log_loss" in scores and name_in(estimator.loss).endswith("cross_entropy")
        loss = {"loss": scores["log_loss"]} if surprise else {}
        return {"score": scores["accuracy"], **kept, **loss}
    spread = float(np.mean(estimator.target_scale_**2)) if estimator.n_outputs_ == 1 else None
    squares = name_in(estimator.loss) in ("squared_error", "mse")
    loss = {"loss": scores["rmse"] ** 2 / spread} if squares and spread and "rmse" in scores else {}
    return {"score": scores["r2"], "r2": scores["r2"], **loss} if "r2" in scores else dict(loss)
