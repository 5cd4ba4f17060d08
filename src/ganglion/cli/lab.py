"""``ganglion lab``: list the experiments, run one and print its numbers and verdict."""

import textwrap
from pathlib import Path
from typing import get_args

from ganglion.cli.out import WIDTH, Stage, hint, say, say_json


def run_list(*, as_json: bool) -> None:
    """Print every experiment with its claim, topic by topic."""
    from ganglion.lab import experiments
    from ganglion.lab.experiment import Topic

    known = experiments().values()
    if as_json:
        say_json([{k: v for k, v in vars(e).items() if k != "body"} for e in known])
        return
    width = max(len(e.name) for e in known) + 2
    for topic in (t for t in get_args(Topic) if any(e.topic == t for e in known)):
        say(f"{topic}\n")
        for e in (e for e in known if e.topic == topic):
            indent = " " * (width + 2)
            say(
                textwrap.fill(e.claim, WIDTH, initial_indent=f"  {e.name:<{width}}", subsequent_indent=indent)
            )
        say()
    say(f"{len(known)} experiments; run one with: ganglion lab run NAME")


def run_one(name: str, seed: int, output: Path | None, *, quick: bool, as_json: bool) -> int:
    """Run an experiment and print it; the exit code is 1 when its numbers do not bear its verdict."""
    from ganglion.base.errors import ParameterError
    from ganglion.lab import run

    if output is not None and output.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ParameterError(
            f"--output is a figure: a name ending in .png, .svg or .pdf, got {output.name!r}."
        )
    stage = Stage()
    stage(f"running {name}")
    result = run(name, seed=seed, quick=quick)
    stage()
    if as_json:
        say_json(result.to_dict())
    else:
        say(str(result))
    if output is not None:
        result.plot().figure.savefig(output, dpi=140, facecolor="white")
        hint(f"figure: {output}")
    return 0 if result.holds_up else 1
