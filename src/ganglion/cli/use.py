"""``ganglion predict``, ``evaluate``, ``diagnose``, ``report`` and ``list``."""

from pathlib import Path
from typing import Any

from ganglion.base.errors import DataError, GanglionError
from ganglion.cli.fit import folded, words
from ganglion.cli.out import hint, say, say_json
from ganglion.jobs.use import Opened, evaluated, open_model, predicted, result_on
from ganglion.jobs.words import number, verdict_lines


def run_predict(model: Path, file: Path, output: Path | None, *, proba: bool, as_json: bool) -> None:
    """Predictions as CSV on standard output or into a file, or as JSON."""
    if output is not None and not output.parent.is_dir():
        raise DataError(f"the folder {output.parent} does not exist; make it or give another --output.")
    found = predicted(open_model(model), file, proba=proba)
    for line in found.differences:
        hint(folded(f"note: {line}"))
    if as_json:
        say_json({"rows": found.records(), "notes": found.differences})
    elif output is None:
        say(found.csv().rstrip("\n"))
    else:
        found.write(output)
        hint(f"wrote {output} ({len(found):,} rows)")


def run_evaluate(model: Path, file: Path, target: str | None, *, as_json: bool) -> None:
    """Scores with an interval for the leading one."""
    opened = open_model(model)
    found = evaluated(opened, file, target)
    for line in found.differences:
        hint(folded(f"note: {line}"))
    if as_json:
        say_json(
            {"rows": found.n, "metric": found.metric, "scores": found.scores, "interval": found.interval}
        )
        return
    say(f"{found.n:,} rows of {file.name}, target {opened.target}")
    for name, value in found.scores.items():
        span = ""
        if name == found.metric and found.interval is not None:
            span = f"  ({number(found.interval[0])} to {number(found.interval[1])}, 95 %)"
        say(f"  {words(name):<18} {value:>10.4f}{span}")


def run_diagnose(model: Path, *, as_json: bool) -> None:
    """The verdict with its evidence."""
    estimator = open_model(model).estimator
    if as_json:
        say_json({"findings": [f.to_dict() for f in estimator.diagnosis_]})
        return
    say(folded(estimator.summary().split("\n")[0]))
    for finding in estimator.diagnosis_:
        for line in verdict_lines([finding]):
            say(folded(line))
        for name, value in finding.evidence.items():
            shown = f"{value:.4g}" if isinstance(value, int | float) else str(value)
            say(f"    {name.replace('_', ' ')}: {shown}")
        if change := estimator.remedy(finding):
            say("    to apply: " + " ".join(f"--{k.replace('_', '-')} {_flag(v)}" for k, v in change.items()))


def _flag(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def run_report(model: Path, file: Path, output: Path | None) -> None:
    """The report of a model on a table."""
    path = output or model.with_suffix(".html")
    result_on(open_model(model), file).report(path)
    say(f"wrote {path}")


def run_list(folder: Path, *, as_json: bool) -> None:
    """One line per model file; a file that cannot be read is named with its reason."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one that holds *.ganglion files.")
    rows, broken = [], []
    for path in sorted(folder.glob("*.ganglion")):
        try:
            rows.append(_row(path, open_model(path)))
        except GanglionError as error:
            broken.append({"file": str(path), "error": " ".join(str(error).split())})
    if as_json:
        say_json({"models": rows, "broken": broken})
        return
    if not rows and not broken:
        say(f"no *.ganglion files in {folder}")
    width = max((len(Path(r["file"]).name) for r in rows), default=0)
    for row in rows:
        score = "" if row["score"] is None else f"{words(row['metric'])} {row['score']:.4f}"
        say(
            f"{Path(row['file']).name:<{width}}  {row['estimator']:<14} {row['target']:<16} {score}  {row['created'][:10]}"
        )
    for row in broken:
        say(folded(f"{Path(row['file']).name}  cannot be read: {row['error']}"))


def _row(path: Path, opened: Opened) -> dict[str, Any]:
    card = opened.card
    models = card.get("models") or [{}]
    return {
        "file": str(path),
        "estimator": type(opened.estimator).__name__,
        "target": opened.target,
        "metric": card.get("metric"),
        "score": (models[0].get("scores") or {}).get(card.get("metric")),
        "created": card.get("created", ""),
    }
