"""``ganglion fit`` and ``ganglion demo``."""

import textwrap
import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from ganglion.base.errors import DataError
from ganglion.cli.out import hint, say, say_json
from ganglion.jobs.fit import Result, fit
from ganglion.jobs.page import quoted, stem
from ganglion.jobs.words import score_lines, verdict_lines

WIDTH = 79


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
    model = model_path(file, output)
    loud = not (as_json or quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the verdict says it better
        result = fit(
            file,
            target,
            say=(lambda line: say(folded(line))) if loud else None,
            verbose=int(loud),
            **job,
            **parameters,
        )
    written = [result.save(model)]
    if report:
        written.append(result.report(model.with_suffix(".html")))
    if as_json:
        say_json(as_dict(result, written))
    elif not quiet:
        print_result(result, written)


def model_path(file: Path, output: Path | None) -> Path:
    """Where the model goes; refuses a place that cannot be written before any work is done."""
    path = output or file.with_name(stem(str(file)) + ".ganglion")
    if path.is_dir():
        path = path / (stem(str(file)) + ".ganglion")
    if path.suffix != ".ganglion":
        path = path.with_name(path.name + ".ganglion")
    if not path.parent.is_dir():
        raise DataError(f"the folder {path.parent} does not exist; make it or give another --output.")
    return path


def print_result(result: Result, written: list[Path]) -> None:
    """Scores beside the baselines, the verdict, the paths."""
    say()
    say(f"{words(result.metric)} on {len(result.test):,} test rows (95 % interval)")
    for line in score_lines(result.models, result.metric):
        say(line)
    say()
    if result.healed is not None and result.healed.finding is not None:
        for line in healed_lines(result.healed):
            say(folded(line))
        say()
    for line in verdict_lines(result.diagnosis):
        say(folded(line))
    say()
    for path in written:
        say(f"wrote {path}")
    for note in result.job.notes:
        hint(folded(f"note: {note}"))


def healed_lines(healed: Any) -> list[str]:
    """What healing changed and what came of it."""
    changes = ", ".join(f"{k} {a} -> {b}" for k, (a, b) in healed.changed.items())
    fate = "kept" if healed.kept else "not kept: it was no better"
    return [
        f"healed {healed.finding.name.replace('_', ' ')}: {changes}",
        f"  validation {words(healed.metric)} before {healed.before:.4f}, after {healed.after:.4f} ({fate})",
    ]


def words(metric: str) -> str:
    """A score's name for a person."""
    return {"auc": "AUC", "r2": "R²", "rmse": "RMSE", "mae": "MAE"}.get(metric, metric.replace("_", " "))


def folded(line: str) -> str:
    """A line broken at 79 columns, continued with an indent."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def as_dict(result: Result, written: list[Path]) -> dict[str, Any]:
    """The result for machines."""
    return {
        "plan": result.plan,
        "task": result.job.task.kind,
        "target": result.job.targets,
        "metric": result.metric,
        "rows": {"train": len(result.train), "test": len(result.test)},
        "models": [{"name": m.name, "scores": dict(m.scores), "interval": m.interval} for m in result.models],
        "diagnosis": [f.to_dict() for f in result.diagnosis],
        "healed": None
        if result.healed is None or result.healed.finding is None
        else {
            "finding": result.healed.finding.name,
            "changed": {k: list(v) for k, v in result.healed.changed.items()},
            "before": result.healed.before,
            "after": result.healed.after,
            "kept": result.healed.kept,
        },
        "seconds": result.seconds,
        "files": [str(p) for p in written],
    }


def run_demo(folder: Path, time_limit: float | None) -> None:
    """The main job on the census sample."""
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("ganglion.data") / "samples" / "adult.csv.gz") as sample:
        say("$ ganglion fit adult.csv.gz --target income")
        job = {"time_limit": time_limit}
        run_fit(sample, "income", folder / "adult.ganglion", job, {})
    say()
    say(f"next: open {folder / 'adult.html'}")
    say(f"      ganglion diagnose {quoted(str(folder / 'adult.ganglion'))}")
