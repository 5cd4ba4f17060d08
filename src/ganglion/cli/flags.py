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
TRUTH = {"yes": True, "no": False}
OWN_DEFAULTS = {"corrupt": "skip"}  # where the command is more forgiving than an estimator
# not on the command line: what only Python can give, or what the command says in its own words
LEFT_OUT = (
    "module", "warm_start", "class_weight", "time_limit", "verbose", "random_state", "time", "targets", "covariates",
    "horizon",
)  # fmt: skip


def families() -> dict[str, dict[str, "Field"]]:
    """The declarations of every network that the command trains beside those of tables, by its short name."""
    from ganglion.base.fields import fields_of
    from ganglion.estimators.sequences.forecaster import Forecaster
    from ganglion.estimators.sequences.language import LanguageModel
    from ganglion.estimators.sequences.tagger import TokenTagger
    from ganglion.estimators.sequences.text import TextClassifier
    from ganglion.estimators.sequences.translator import Translator
    from ganglion.jobs.pictures import networks

    texts = {
        "text": TextClassifier,
        "language": LanguageModel,
        "tagger": TokenTagger,
        "translator": Translator,
    }
    return {name: fields_of(cls) for name, cls in (networks() | texts | {"forecaster": Forecaster}).items()}


def build_table() -> list[dict[str, Any]]:
    """The flags of all parameters of the networks that the command trains, from their declarations."""
    from ganglion.base.fields import fields_of
    from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

    tables = {**fields_of(MLPRegressor), **fields_of(MLPClassifier)}
    others = families()
    known = dict(tables)
    for fields in others.values():
        known |= {name: field for name, field in fields.items() if name not in known}
    flags = []
    for name, field in known.items():
        if name not in LEFT_OUT:
            having = {model: fields[name] for model, fields in others.items() if name in fields}
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


def flag_of(field: "Field", having: dict[str, "Field"], *, of_tables: bool) -> dict[str, Any]:
    """One flag: its name, help, and how its text is read.

    Arguments: ``having`` the declarations of the networks beside those of tables that have it; their defaults, and
    what they allow, are told where these differ from ``field``. What only some networks know begins with their names.
    """
    switch = isinstance(field.default, bool)
    allowed = "" if switch else in_words(field.allowed())
    several = isinstance(field.default, tuple)
    number = several or "number" in allowed or allowed[:1].isdigit()
    kind = "switch" if switch else "value" if number else "text"
    default = OWN_DEFAULTS.get(field.name, field.default)
    apart: dict[str, list[str]] = {}
    for model, own in having.items():
        if own.default != field.default:
            apart.setdefault(_shown(own.default), []).append(model)
    shown = "; ".join(
        [f"default {_shown(default)}", *(f"for {', '.join(m)} {value}" for value, m in apart.items())]
    )
    choices = {
        m: words for m, own in having.items() if not switch and (words := in_words(own.allowed())) != allowed
    }
    if choices and kind == "text":
        first = "" if of_tables else f"{next(iter(having))}: "
        allowed = "; ".join([f"{first}{allowed}", *(f"{m}: {words}" for m, words in choices.items())])
    owners = "" if of_tables or not having else f"{', '.join(having)}: "
    meaning = f"{owners}{field.meaning.replace('None', 'none')} ({allowed}{'; ' if allowed else ''}{shown})"
    row = {"name": field.name, "help": meaning, "kind": kind, "none": "None" in field.allowed()}
    truth = not switch and "True or False" in field.allowed()
    return row | ({"several": True} if several else {}) | ({"truth": True} if truth else {})


def in_words(allowed: str) -> str:
    """What a field allows, in the words of a command line.

    >>> in_words("a number above 0 or None"), in_words("one of 'relu', 'tanh'"), in_words("a text or None")
    ('a number above 0 or none', 'relu, tanh', '')
    """
    text = allowed.replace("None", "none").replace("'", "").replace("one of ", "")
    text = text.replace("True or False", "yes, no")
    text = text.replace(
        "a tuple of whole numbers at least 1 or a whole number at least 1", "whole numbers by commas"
    )
    text = text.replace("a tuple of whole numbers at least 1", "whole numbers by commas")
    text = "numbers by commas" if text == "a tuple" else text
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
        return TRUTH.get(text.lower(), text) if row.get("truth") else text
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
