"""``ganglion predict``, ``evaluate``, ``diagnose``, ``report`` and ``list``."""

import sys
from pathlib import Path
from typing import Any

from ganglion.base.errors import DataError, GanglionError
from ganglion.base.files import write_atomically
from ganglion.cli.fit import check_places, words
from ganglion.cli.out import Stage, folded, hint, note, say, say_json, write_plain
from ganglion.jobs.opened import Opened, open_model
from ganglion.jobs.shell import flags
from ganglion.jobs.use import evaluated, predicted, result_on
from ganglion.jobs.words import number, verdict_lines

STANDARD = Path("-")
OTHER_FORMS = (".parquet", ".pq", ".json", ".jsonl", ".ndjson", ".xlsx", ".xls", ".gz", ".ganglion", ".html")


def run_predict(
    model: Path, files: list[Path], output: Path | None, *, image: str | None, proba: bool, horizon: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Predictions as CSV on standard output or into a file, or as JSON."""
    output = None if output == STANDARD else output
    if output is not None:
        check_output(output, [model, *files])
    found = predicted(open_model(model), files, proba=proba, image=image, horizon=horizon)
    for line in found.differences:
        note(line)
    if as_json and output is None:
        say_json({"rows": found.records(), "notes": found.differences})
    elif output is None:
        write_plain(found.csv())
    else:
        found.write(output)
        if as_json:
            say_json({"written": str(output), "rows": len(found), "notes": found.differences})
        else:
            hint(f"wrote {output} ({len(found):,} rows)")


def check_output(output: Path, read: list[Path]) -> None:
    """Refuse a place for predictions that cannot be written, is read itself, or promises another form than CSV."""
    if output.suffix.lower() in OTHER_FORMS:
        raise DataError(
            f"predictions are written as CSV, not as {output.suffix}; give a name that ends in .csv."
        )
    for source in read:
        check_places(source, [output])


def run_evaluate(
    model: Path, file: Path, target: str | None, *, image: str | None = None, as_json: bool
) -> None:
    """Scores with an interval for the leading one."""
    opened = open_model(model)
    found = evaluated(opened, file, target, image=image)
    for line in found.notes:
        note(line)
    if as_json:
        scores = {"metric": found.metric, "scores": found.scores, "interval": found.interval}
        say_json({"rows": found.n, **scores, "notes": found.notes})
        return
    target = "" if opened.card.get("task") == "language" else f", target {opened.target}"
    say(f"{found.n:,} {found.unit} of {file.name}{target}")
    leading = sorted(found.scores, key=lambda name: name != found.metric)
    for name in leading:
        span = ""
        if name == found.metric and found.interval is not None:
            span = f"  ({number(found.interval[0])} to {number(found.interval[1])} at 95 %)"
        say(f"  {words(name):<18} {number(found.scores[name], 4):>10}{span}")


def run_generate(
    model: Path, prompt: str, *, n: int, seed: int | None, as_json: bool, chosen: dict[str, Any]
) -> None:
    """Texts that go on from a prompt, which stands before them."""
    writer = open_model(model).estimator
    if not hasattr(writer, "generate"):
        raise DataError(f"{model.name} is a {type(writer).__name__}; a LanguageModel writes texts.")
    texts = [prompt + text for text in writer.generate(prompt, n=n, random_state=seed, **chosen)]
    if as_json:
        say_json({"texts": texts})
        return
    for i, text in enumerate(texts):
        if i:
            say("-" * 8)
        write_plain(text + "\n")


def run_translate(
    model: Path, texts: list[str], file: Path | None, output: Path | None, *, as_json: bool
) -> None:
    """A text for each of those given as words, lines of a file, or lines of standard input."""
    writer = open_model(model).estimator
    if type(writer).__name__ != "Translator":
        raise DataError(f"{model.name} is a {type(writer).__name__}; a Translator writes texts for texts.")
    if output is not None:
        check_places(file or model, [output])
    if texts and file is not None:
        raise DataError("texts or --file are expected, got both; give one of them.")
    if not texts:
        from ganglion.jobs.sequences.reading import lines_of

        texts = lines_of(file) if file is not None else sys.stdin.read().splitlines()
    if not texts:
        raise DataError("a text to translate is expected, got none; give some behind the model, or --file.")
    written = writer.predict(texts)
    if as_json:
        say_json({"texts": written})
    elif output is None:
        write_plain("".join(one + "\n" for one in written))
    else:
        write_atomically(output, "".join(one + "\n" for one in written).encode())
        hint(f"wrote {output} ({len(written):,} texts)")


def run_diagnose(model: Path, *, as_json: bool) -> None:
    """The verdict with its evidence."""
    opened = open_model(model)
    estimator = opened.estimator
    if as_json:
        say_json({"findings": [f.to_dict() for f in estimator.diagnosis_]})
        return
    what = estimator.summary().splitlines()[0].replace(":", " with", 1)
    say(folded(f"{model.name}: {what}, predicts {opened.target}"))
    for finding in estimator.diagnosis_:
        say()
        for line in verdict_lines([finding]):
            say(folded(line))
        for name, value in finding.evidence.items():
            shown = f"{value:.4g}" if isinstance(value, int | float) else str(value)
            say(f"    {name.replace('_', ' ')}: {shown}")
        if change := estimator.remedy(finding):
            say(folded(f"  to apply: {flags(change)}"))


def run_report(
    model: Path, file: Path, output: Path | None, target: str | None = None, *, image: str | None = None
) -> None:
    """The report of a model on a table, or on a folder of class folders."""
    path = output or model.with_suffix(".html")
    for source in (model, file):
        check_places(source, [path])
    result = result_on(open_model(model), file, target, image=image)
    for line in result.job.notes:
        note(line)
    stage = Stage()
    stage("writing the report")
    result.report(path)
    stage()
    say(f"wrote {path}")


def run_list(folder: Path, *, as_json: bool) -> None:
    """One line per model file; a file that cannot be read is named with its reason."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; give one that holds *.ganglion files.")
    rows, broken = [], []
    for path in sorted(folder.glob("*.ganglion")):
        try:
            rows.append(row_of(path, open_model(path)))
        except GanglionError as error:
            reason = " ".join(str(error).split()).removeprefix(str(path)).lstrip(": ")
            broken.append({"file": str(path), "error": reason})
    if as_json:
        say_json({"models": rows, "broken": broken})
        return
    if not rows and not broken:
        say(f"no *.ganglion files in {folder}")
    for line in aligned([list_cells(row) for row in rows]):
        say(line)
    for row in broken:
        say(folded(f"{Path(row['file']).name}  {row['error']}"))


def row_of(path: Path, opened: Opened) -> dict[str, Any]:
    """What the list says of one model."""
    card = opened.card
    return {
        "file": str(path),
        "estimator": type(opened.estimator).__name__,
        "target": opened.target,
        "metric": card.get("metric"),
        "score": card["scores"].get(card.get("metric")),
        "created": card.get("created", ""),
    }


def list_cells(row: dict[str, Any]) -> list[str]:
    """A model's cells in the list, short enough for a line."""
    score = "" if row["score"] is None else f"{words(row['metric'])} {number(row['score'], 4)}"
    return [short(Path(row["file"]).name, 30), short(row["target"], 18), score, row["created"][:10]]


def short(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines with straight columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)).rstrip() for row in rows]
