"""Parts by name, with numbers where a part takes some: ``"huber"``, ``"huber(2)"``, ``"step(every=30)"``.

One short text goes through a parameter, a command line and a model file alike, and can run nothing: the name is
looked up in a closed table, and the arguments are numbers, texts and truth values.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ganglion.base.errors import ParameterError, unknown_name

Part = TypeVar("Part")

SHAPE = re.compile(r"([\w+]+)\s*(\(.*\))?", re.DOTALL)
MOST = 200  # characters; no part needs more, and a parser may choke on a megabyte of brackets


def name_in(text: str) -> str:
    """The name in front of the arguments, or the whole text if it is of another shape.

    >>> name_in("huber(2)")
    'huber'
    """
    match = SHAPE.fullmatch(text.strip()) if len(text) <= MOST else None
    return match[1] if match else text


def named(kind: str, text: str, table: Mapping[str, Callable[..., Part]]) -> Part:
    """The part that a text names, made by the table's function from the arguments in the text.

    Raises ``ParameterError`` for an unknown name (with the nearest known one) and for arguments that the part
    does not take.

    >>> named("loss", "huber(2)", {"huber": lambda delta=1.0: ("huber", delta)})
    ('huber', 2)
    """
    name = name_in(text)
    if name not in table:
        raise ParameterError(unknown_name(kind, name, list(table)))
    make = table[name]
    args, options = _arguments(kind, text)
    signature = inspect.signature(make)
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        takes = signature.replace(return_annotation=signature.empty)
        raise ParameterError(
            f"{kind} {name!r} takes {takes} as arguments, got {text!r} ({error}); leave out what it does not take."
        ) from error
    return make(*args, **options)


def _arguments(kind: str, text: str) -> tuple[list[Any], dict[str, Any]]:
    if "(" not in text:
        return [], {}
    try:
        call = ast.parse("part" + text[text.index("(") :].strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError
        if any(word.arg is None for word in call.keywords):
            raise ValueError
        args = [ast.literal_eval(a) for a in call.args]
        options = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ParameterError(
            f"{kind} must be a name, or a name with numbers in brackets as in 'name(2)', got {text!r}."
        ) from error
    for value in [*args, *options.values()]:
        if not isinstance(value, int | float | str | bool):
            raise ParameterError(
                f"{kind} {text!r}: numbers and texts are expected as arguments, got {value!r}."
            )
    return args, options
