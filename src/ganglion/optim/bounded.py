"""Bounds on the numbers that a part takes in brackets, declared in front of the function that makes it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ganglion.base.errors import ParameterError
from ganglion.base.fields import Between, Bound

Make = TypeVar("Make", bound=Callable[..., Any])

SHARE = Between(0, 1)
BELOW_ONE = Between(0, 1, open_high=True)
INSIDE = Bound(0, 1, open_low=True, open_high=True)


def bounded(**bounds: Bound) -> Callable[[Make], Make]:
    """A decorator: each named argument must be a number inside its bound, and whole where it is declared ``int``.

    Raises ``ParameterError`` with the argument's name, its bound and its value.

    >>> @bounded(k=Bound(low=1))
    ... def every(k: int = 5):
    ...     return k
    >>> every(0)
    Traceback (most recent call last):
    ganglion.base.errors.ParameterError: every: k must be a whole number at least 1, got 0.
    """

    def around(make: Make) -> Make:
        signature = inspect.signature(make)

        @functools.wraps(make)
        def checked(*args: Any, **options: Any) -> Any:
            given = signature.bind(*args, **options).arguments
            for name, bound in bounds.items():
                values = given.get(name, ())
                whole = signature.parameters[name].annotation is int
                for value in values if isinstance(values, tuple) else (values,):
                    _check(make.__name__, name, value, bound, whole)
            return make(*args, **options)

        return checked  # type: ignore[return-value]

    return around


def _check(part: str, name: str, value: Any, bound: Bound, whole: bool) -> None:
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not bound.admits(value):
        kind = "a whole number" if whole else "a number"
        raise ParameterError(f"{part}: {name} must be {kind} {bound.words()}, got {value!r}.")
