"""``ganglion trace``: one forward and one backward pass of a model over some rows."""

import html
import math
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.base.files import write_atomically
from ganglion.cli.fit import check_places
from ganglion.cli.out import hint, note, say, say_json
from ganglion.jobs.given import NO_IMAGE, open_like, truth_of
from ganglion.jobs.inputs import inputs_of
from ganglion.jobs.opened import Opened, open_model

ROWS = 32  # that are looked at unless another number is asked for
NUMBERS = 2**17  # of the pictures looked at together unless asked for: every value on their way is kept

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
  :root {{ color-scheme: light dark }}
  body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }}
  pre {{ font-size: 12px; line-height: 1.4; overflow-x: auto }}
</style>
<h1>{title}</h1>
{figures}
<pre>{text}</pre>
</html>
"""


def run_trace(
    model: Path,
    file: Path,
    *,
    rows: int | None,
    row: int | None,
    target: str | None,
    image: str | None,
    neurons: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """Print the pass, and write a figure or a page if asked."""
    if output is not None:
        if output.suffix.lower() not in (".svg", ".html"):
            raise DataError(
                f"a figure is written as .svg and a page as .html, got {output.name}; change its end."
            )
        for source in (model, file):
            check_places(source, [output])
    opened = open_model(model)
    from ganglion.estimators.trace import check_taken, trace

    check_taken("trace", opened.estimator)
    if opened.takes == "pictures":
        inputs, y, differences = chosen_pictures(opened, file, image, target, rows, row)
    else:
        if image is not None:
            raise DataError(NO_IMAGE)
        first, count = (0, rows or ROWS) if row is None else (row - 1, 1)
        inputs, y, differences = chosen(opened, file, target, first, count)
    for line in differences:
        note(line)
    found = trace(opened.estimator, inputs, y)
    units = found.neuron_table(0) if neurons else ""
    if as_json:
        say_json(found.to_dict() | ({"neurons": [as_dict(n) for n in found.neurons(0)]} if neurons else {}))
    else:
        for line in f"{found}\n\n{units}".rstrip().split("\n"):
            say(line)
    if output is not None:
        write_atomically(output, drawn(found, output, f"{model.name} on {file.name}", units).encode())
        hint(f"wrote {output}")


def chosen(
    opened: Opened, file: Path, target: str | None, first: int, count: int
) -> tuple[Any, np.ndarray | None, list[str]]:
    """Some rows of a table as the model takes them, their truth if the table has it, and what to note."""
    table = open_like(opened, file)
    known = target is not None or all(name in table.names for name in opened.targets)
    y: np.ndarray | None = None
    if known:
        table, y = truth_of(opened, table, target)
    if first >= len(table):
        what = "rows whose target is known" if known else "rows"
        raise DataError(f"{file.name} has {len(table):,} {what}, got row {first + 1:,}; give a smaller one.")
    index = np.arange(first, min(first + count, len(table)))
    inputs, differences = inputs_of(opened.estimator, table.take(index))
    if not known:
        differences = [*differences, f"no column {opened.target!r}, so the sum of the outputs is the loss"]
    return inputs, None if y is None else y[index], differences


def chosen_pictures(
    opened: Opened, file: Path, image: str | None, target: str | None, rows: int | None, row: int | None
) -> tuple[Any, np.ndarray | None, list[str]]:
    """Some pictures as the model takes them, of a folder evenly chosen ones, their truth if it is told, and notes."""
    from ganglion.jobs.given_pictures import listed, sound, truth_beside

    known = truth_beside(opened, file, target)
    found = listed(opened, file, image=image, target=target, truth=known)
    n = len(found.paths)
    if row is not None and row > n:
        raise DataError(f"{file.name} has {n:,} pictures, got number {row:,}; give a smaller one.")
    numbers = math.prod(opened.estimator.image_shape_)
    count = min(n, rows or max(1, min(ROWS, NUMBERS // numbers)))
    index = (
        np.array([row - 1]) if row else np.arange(count) * n // count if file.is_dir() else np.arange(count)
    )
    taken = sound(opened, found.take(index))
    notes = list(taken.notes)
    if not row and count < n:
        notes.append(f"{count:,} of {n:,} pictures are looked at; --rows takes more or fewer")
    if not known:
        notes.append("no classes are told, so the sum of the outputs is the loss")
    return taken.inputs, taken.truth, notes


def as_dict(neuron: Any) -> dict[str, Any]:
    """A neuron as plain numbers."""
    return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in vars(neuron).items()}


def drawn(found: Any, output: Path, title: str, units: str) -> str:
    """The figure as SVG, or a page with figures and text."""
    from ganglion.plot import plot_neurons, plot_trace, to_svg

    svg = to_svg(
        plot_trace(found), "Gradient by layer", "What arrives at every layer and what leaves", name="layers"
    )
    if output.suffix.lower() == ".svg":
        return svg
    figures = [svg]
    if units:
        figures.append(
            to_svg(plot_neurons(found), "Neurons", "Every unit of the network for one row", name="units")
        )
    text = html.escape(f"{found}\n\n{units}".rstrip())
    return PAGE.format(title=html.escape(title), figures="\n".join(figures), text=text)
