"""Numbers that reach a part in the brackets of its name, checked one by one."""

import math
from typing import Any

from ganglion.base.errors import ParameterError
from ganglion.base.fields import Bound, why_not


def number(what: str, value: Any, bound: Bound, *, whole: bool = False) -> Any:
    """The value, if it is a finite number (with ``whole`` a whole one) inside the bound.

    Raises ``ParameterError`` for anything else.

    >>> number("group's groups", 4, Bound(low=1), whole=True)
    4
    """
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not bound.admits(value) or why_not(value):
        kind = f"a {'whole ' if whole else ''}number {bound.words()}".strip()
        raise ParameterError(
            f"{what} must be {kind}, got {value!r}{why_not(value)}; give such a number or leave it out."
        )
    return value
