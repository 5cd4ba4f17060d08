"""Command flags out of declared fields: a generated table, so that ``--help`` needs no estimator.

``python -m ganglion.cli.flags`` writes ``flags.json`` anew; a test keeps it equal to the declarations.
"""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

TABLE = Path(__file__).with_name("flags.json")
# not on the command line: what only Python can give, or what the command says in its own words
LEFT_OUT = ("module", "warm_start", "class_weight", "time_limit", "verbose", "random_state", "loss")


def build_table() -> list[dict[str, Any]]:
    """The flags of all parameters of the table networks, from their declarations."""
    from ganglion.base.fields import fields_of
    from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

    fields = {**fields_of(MLPRegressor), **fields_of(MLPClassifier)}
    rows = []
    for name, f in fields.items():
        if name not in LEFT_OUT:
            default = list(f.default) if isinstance(f.default, tuple) else f.default
            meaning = f"{f.meaning} ({f.allowed()}; default {_shown(f.default)})"
            rows.append(
                {"name": name, "default": default, "help": meaning, "switch": isinstance(f.default, bool)}
            )
    return rows


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
        named = {r["name"]: given.pop(r["name"]) for r in rows}
        command(**given, parameters={k: _value(v) for k, v in named.items() if v is not None})

    run.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in [*own, *flags]}
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    return run


def _option(row: dict[str, Any]) -> Any:
    flag = "--" + row["name"].replace("_", "-")
    panel = "Network and training"
    if row["switch"]:
        both = f"{flag}/--no-{flag[2:]}"
        return Annotated[
            bool | None, typer.Option(both, help=row["help"], rich_help_panel=panel, show_default=False)
        ]
    return Annotated[
        str | None,
        typer.Option(flag, help=row["help"], rich_help_panel=panel, show_default=False, metavar="X"),
    ]


def _value(text: str | bool) -> Any:
    """What a flag's text means: a number, several numbers, ``none``, or a word."""
    if isinstance(text, bool):
        return text
    if text.lower() == "none":
        return None
    parts = [_number(part.strip()) for part in text.split(",")]
    return tuple(parts) if len(parts) > 1 else parts[0]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(value: Any) -> str:
    return (
        ",".join(map(str, value))
        if isinstance(value, tuple)
        else str(value).lower()
        if value is None
        else str(value)
    )


if __name__ == "__main__":
    TABLE.write_text(json.dumps(build_table(), indent=1) + "\n")
