"""Command flags out of declared fields: a generated table, so that ``--help`` needs no estimator.

``python -m ganglion.cli.flags`` writes ``flags.json`` anew; a test keeps it equal to the declarations.
"""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ganglion.base.fields import Field

TABLE = Path(__file__).with_name("flags.json")
# not on the command line: what only Python can give, or what the command says in its own words
OWN_DEFAULTS = {"corrupt": "skip"}  # where the command is more forgiving than an estimator
LEFT_OUT = ("module", "warm_start", "class_weight", "time_limit", "verbose", "random_state")


def build_table() -> list[dict[str, Any]]:
    """The flags of all parameters of the networks that the command trains, from their declarations."""
    from ganglion.base.fields import fields_of
    from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
    from ganglion.jobs.pictures import networks

    tables = {**fields_of(MLPRegressor), **fields_of(MLPClassifier)}
    pictures = {name: fields_of(cls) for name, cls in networks().items()}
    known = tables | {
        k: f for fields in reversed(pictures.values()) for k, f in fields.items() if k not in tables
    }
    flags = []
    for name, field in known.items():
        if name not in LEFT_OUT:
            having = {model: fields[name] for model, fields in pictures.items() if name in fields}
            flags.append(flag_of(field, having, of_tables=name in tables))
    return [{**flag, **loss_of_both()} if flag["name"] == "loss" else flag for flag in flags]


def loss_of_both() -> dict[str, Any]:
    """The one flag whose names differ between classes and numbers."""
    from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES

    classes, values = (
        f"{', '.join(table)}; default {next(iter(table))}" for table in (CLASS_LOSSES, VALUE_LOSSES)
    )
    words = f"what an error costs, with numbers in brackets as in 'huber(2)' (classes: {classes}. Numbers: {values})"
    return {"help": words}


def flag_of(field: "Field", of_pictures: dict[str, "Field"], *, of_tables: bool) -> dict[str, Any]:
    """One flag: its name, help, and how its text is read.

    Arguments: ``of_pictures`` the declarations of the networks for pictures that have it; their defaults are told
    where they differ from that of ``field``. What only some networks know begins with their names.
    """
    switch = isinstance(field.default, bool)
    allowed = "" if switch else in_words(field.allowed())
    kind = "switch" if switch else "value" if "number" in allowed or allowed[:1].isdigit() else "text"
    default = OWN_DEFAULTS.get(field.name, field.default)
    others = {m: _shown(f.default) for m, f in of_pictures.items() if f.default != field.default}
    shown = "; ".join([f"default {_shown(default)}", *(f"for {m} {value}" for m, value in others.items())])
    owners = "" if of_tables or not of_pictures else f"{', '.join(of_pictures)}: "
    meaning = f"{owners}{field.meaning.replace('None', 'none')} ({allowed}{'; ' if allowed else ''}{shown})"
    row = {"name": field.name, "help": meaning, "kind": kind, "none": "None" in field.allowed()}
    return row | ({"several": True} if isinstance(field.default, tuple) else {})


def in_words(allowed: str) -> str:
    """What a field allows, in the words of a command line.

    >>> in_words("a number above 0 or None"), in_words("one of 'relu', 'tanh'"), in_words("a text or None")
    ('a number above 0 or none', 'relu, tanh', '')
    """
    text = allowed.replace("None", "none").replace("'", "").replace("one of ", "")
    text = text.replace(
        "a tuple of whole numbers at least 1 or a whole number at least 1", "whole numbers by commas"
    )
    text = text.replace("a tuple of whole numbers at least 1", "whole numbers by commas")
    return "" if text in ("a text", "a text or none") else text


def read_table() -> list[dict[str, Any]]:
    """The generated table."""
    return json.loads(TABLE.read_text())


def with_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose ``parameters`` argument is made of one flag per row of the table."""
    rows = read_table()
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "parameters"]
    flags = [
        inspect.Parameter(r["name"], inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(r))
        for r in rows
    ]

    def run(**given: Any) -> None:
        named = [(r, given.pop(r["name"])) for r in rows]
        command(**given, parameters={r["name"]: _value(v, r) for r, v in named if v is not None})

    run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*own, *flags]}
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


def _option(row: dict[str, Any]) -> Any:
    flag = "--" + row["name"].replace("_", "-")
    panel = "Network and training"
    if row["kind"] == "switch":
        both = f"{flag}/--no-{flag[2:]}"
        return Annotated[
            bool | None, typer.Option(both, help=row["help"], rich_help_panel=panel, show_default=False)
        ]
    return Annotated[
        str | None,
        typer.Option(flag, help=row["help"], rich_help_panel=panel, show_default=False, metavar="X"),
    ]


def _value(text: str | bool, row: dict[str, Any]) -> Any:
    """What a flag's text means: a number, several numbers, ``none`` where that is allowed, or a word."""
    if isinstance(text, bool):
        return text
    if text.lower() == "none" and row["none"]:
        return None
    if row["kind"] == "text":
        return text
    parts = [_number(part.strip()) for part in text.split(",")]
    return tuple(parts) if len(parts) > 1 or row.get("several") else parts[0]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


if __name__ == "__main__":
    TABLE.write_text(json.dumps(build_table(), indent=1) + "\n")
