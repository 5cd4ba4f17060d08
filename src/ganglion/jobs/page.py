"""From a result of the main job to the report's input, and to a file."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ganglion.base.files import write_atomically
from ganglion.jobs.origin import versions
from ganglion.jobs.shell import flags, quoted, stem
from ganglion.report import Healing, ReportInput, Reproduce, render

SEEN = "These {unit} were kept aside before anything was learned."
GIVEN = "These {unit} were given for this report; if the network was trained on them, the scores flatter it."


def write_report(result: Any, path: Any) -> Path:
    """Write the offline HTML report to ``path`` atomically."""
    write_atomically(path, render(report_input(result)).encode())
    return Path(path)


def report_input(result: Any) -> ReportInput:
    """Everything the page shows."""
    job, estimator = result.job, result.estimator
    classify, told = job.task.classification, job.task.labels
    name = Path(result.source).name or job.nameless
    shown = ReportInput(
        title=job.title(name),
        target=job.targets if len(job.targets) > 1 else job.targets[0],
        task="regression" if job.task.kind == "multioutput" else job.task.kind,
        record=estimator.record_,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        source=name,
        plan=result.plan,
        unit=job.unit,
        split=f"test {job.unit}",
        split_note=(SEEN if len(result.train) else GIVEN).format(unit=job.unit),
        notes=result.job.notes,
        findings=result.diagnosis,
        models=result.models,
        metric=result.metric,
        classes=estimator.classes_.tolist() if classify else [],
        y_true=job.y[result.test] if told else None,
        prediction=result.answer if told and not classify else None,
        proba=result.answer if classify else None,
        healing=healing_of(result),
        reproduce=reproduce_of(result),
        deploy=deploy_of(result),
    )
    return replace(shown, **job.page(result))


def healing_of(result: Any) -> Healing | None:
    """What healing tried, if it was asked for and found something to try."""
    healed = result.healed
    if healed is None or healed.finding is None:
        return None
    return Healing(
        finding=healed.finding.name,
        changed=healed.changed,
        metric=result.healed_metric,
        before=healed.before,
        after=healed.after,
        kept=healed.kept,
    )


def reproduce_of(result: Any) -> Reproduce:
    """The command and the call that give the same network again."""
    job = result.job
    name = Path(result.origin.get("source") or result.source).name or job.example
    chosen = result.origin.get("settings", result.settings)
    words = [f"ganglion fit {quoted(name)}", job.target_flag(), flags(chosen)]
    settings = "".join(f", {k}={v!r}" for k, v in chosen.items())
    seed = result.estimator.random_state
    return Reproduce(
        command=" ".join(word for word in words if word),
        python=f"import ganglion\nresult = ganglion.fit({name!r}{job.target_argument()}{settings})",
        versions=versions(),
        seeds={"random_state": seed} if isinstance(seed, int) else {},
        data_hash=result.origin.get("data_hash") or job.data_hash,
    )


def deploy_of(result: Any) -> dict[str, str]:
    """Snippets that use the model file."""
    model, job = model_name(result), result.job
    return {
        "Python": f"import ganglion\nmodel = ganglion.load({model!r})\n{job.call}",
        "Command line": job.command.format(model=quoted(model)),
    }


def model_name(result: Any) -> str:
    """The model file's name: where it was written, or what the command would choose."""
    return Path(result.path).name if result.path else stem(result.source or "model") + ".ganglion"
