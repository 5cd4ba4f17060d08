"""``ganglion fit`` and ``ganglion demo``."""

import tempfile
import time
import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion.base.errors import DataError
from ganglion.cli.out import Stage, folded, note, say, say_json

if TYPE_CHECKING:
    from ganglion.jobs.result import Result

NAMES = {
    "auc": "AUC", "r2": "R²", "rmse": "RMSE", "mae": "MAE", "mase": "MASE", "bleu": "BLEU", "rouge_l": "ROUGE-L",
    "tags": "right tags", "span_f1": "F1 of spans", "nats": "nats per character", "bits": "bits per character",
}  # fmt: skip
OF_SOURCE = ("image", "text", "horizon", "covariates", "lines", "task", "ignore", "header")
STARTED = time.monotonic()  # a time limit counts the seconds that imports take too


def run_fit(
    file: Path,
    target: str | None,
    output: Path | None,
    job: dict[str, Any],
    parameters: dict[str, Any],
    *,
    report: bool = True,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Train, print, write the two files."""
    from ganglion.jobs.source import open_source

    model = model_path(file, output)
    check_places(file, [model, model.with_suffix(".html")] if report else [model])
    asked = {k: v for k in OF_SOURCE if (v := job.pop(k, None)) is not None}
    if asked.get("horizon") is not None:
        asked["time_column"] = job.pop("time_column", None)
    opened = open_source(file, target, **asked)
    opened.started = STARTED
    loud, stage = not (as_json or quiet), Stage()
    result, told = trained(opened, job | parameters, stage, loud=loud)
    result.source = str(file)
    written = [result.save(model)]
    if loud and report:
        stage("writing the report")
    try:
        written += [result.report(model.with_suffix(".html"))] if report else []
    except KeyboardInterrupt:
        result.job.notes.append("the report was interrupted and left out")
    if loud:
        stage()
    if as_json:
        say_json(as_dict(result, written))
    elif not quiet:
        print_result(result, written, result.job.notes[told:])


def trained(opened: Any, options: dict[str, Any], stage: Stage, *, loud: bool) -> tuple["Result", int]:
    """The main job with what it says on the way, and how many of its notes have been told."""
    from ganglion.jobs.fit import fit_job  # brings torch, after the data have proven readable
    from ganglion.jobs.words import doubt_lines

    told: list[int] = []

    def announce(line: str) -> None:
        stage()
        say(folded(line))
        if not told:
            told.append(len(opened.notes))
            for one in [*opened.notes, *doubt_lines(opened)]:
                note(one)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the verdict says it better
        says = {"say": announce, "stage": stage} if loud else {}
        result = fit_job(opened, verbose=int(loud), **says, **options)
    return result, told[0] if told else 0


def model_path(file: Path, output: Path | None) -> Path:
    """Where the model goes: beside the data, or as asked."""
    from ganglion.jobs.shell import stem

    file = file if file.name.strip(".") else file.resolve()  # "." and ".." have no name
    name = stem(str(file)) + ".ganglion"
    path = output or file.with_name(name)
    path = path / name if path.is_dir() else path
    return path if path.suffix == ".ganglion" else path.with_name(path.name + ".ganglion")


def check_places(source: Path, places: list[Path]) -> None:
    """Refuse places that cannot be written, before any work is done."""
    for path in places:
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"the folder {folder} does not exist; make it or give another --output.")
        if path.is_dir():
            raise DataError(f"{path} is a folder, so no file can stand there; give another --output.")
        if path.exists() and source.exists() and path.samefile(source):
            raise DataError(f"{path} would take the place of what is read; give another --output.")
        if reason := refusal(folder):
            raise DataError(f"{path} cannot be written ({reason}); give another --output.")


def refusal(folder: Path) -> str:
    """Why no file can be made in a folder; nothing if one can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return (error.strerror or str(error)).lower()


def print_result(result: "Result", written: list[Path], notes: list[str]) -> None:
    """Scores beside the baselines, the verdict, new notes, the paths."""
    from ganglion.jobs.words import score_lines, verdict_lines

    say()
    interval = " (95 % interval)" if any(one.interval for one in result.models) else ""
    say(f"{words(result.metric)} on {len(result.test):,} test {result.job.unit}{interval}")
    for line in score_lines(result.models, result.metric):
        say(line)
    say()
    if result.healed is not None:
        for line in healed_lines(result.healed, result.healed_metric):
            say(folded(line))
        say()
    for line in verdict_lines(result.diagnosis, result.estimator):
        say(folded(line))
    say()
    for one in notes:
        note(one)
    for path in written:
        say(f"wrote {path}")


def healed_lines(healed: Any, metric: str) -> list[str]:
    """What healing changed and what came of it."""
    if healed.finding is None:
        return ["healing: there was nothing that other parameters would mend"]
    fate = "kept" if healed.kept else "not kept: it was no better"
    return [
        f"healed {healed.finding.name.replace('_', ' ')}: {healed.in_words}",
        f"  validation {words(metric)} before {healed.before:.4f}, after {healed.after:.4f} ({fate})",
    ]


def words(metric: str) -> str:
    """A score's name for a person."""
    return NAMES.get(metric, metric.replace("_", " "))


def as_dict(result: "Result", written: list[Path]) -> dict[str, Any]:
    """The result for machines."""
    healed = result.healed
    return {
        "plan": result.plan,
        "task": result.job.task.kind,
        "target": result.job.targets,
        "metric": result.metric,
        "rows": {"train": len(result.train), "test": len(result.test)},
        "models": [{"name": m.name, "scores": dict(m.scores), "interval": m.interval} for m in result.models],
        "diagnosis": [f.to_dict() for f in result.diagnosis],
        "healed": None
        if healed is None or healed.finding is None
        else {
            "finding": healed.finding.name,
            "changed": {k: list(v) for k, v in healed.changed.items()},
            "before": healed.before,
            "after": healed.after,
            "kept": healed.kept,
        },
        "notes": result.job.notes,
        "seconds": result.seconds,
        "files": [str(p) for p in written],
    }


def run_demo(folder: Path, time_limit: float | None) -> None:
    """The main job on the census sample."""
    from ganglion.jobs.shell import quoted

    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder; give another --output.")
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("ganglion.data") / "samples" / "adult.csv.gz") as sample:
        say("$ ganglion fit adult.csv.gz --target income")
        run_fit(sample, "income", folder / "adult.ganglion", {"time_limit": time_limit}, {})
    say()
    say(f"next: open {quoted(str(folder / 'adult.html'))} in a browser")
    say(f"      ganglion diagnose {quoted(str(folder / 'adult.ganglion'))}")
