"""Bounds on the numbers that a part takes in brackets, declared in front of the function that makes it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ganglion.base.errors import ParameterError
from ganglion.base.fields import Between, Bound
from ganglion.base.numbers import number

Make = TypeVar("Make", bound=Callable[..., Any])

SHARE = Between(0, 1)
BELOW_ONE = Between(0, 1, open_high=True)
INSIDE = Bound(0, 1, open_low=True, open_high=True)


def bounded(**bounds: Bound) -> Callable[[Make], Make]:
    """A decorator: each named argument must be a number inside its bound, and whole where it is declared ``int``.

    What is declared ``bool`` must be True or False. Raises ``ParameterError`` with the argument's name, its bound and
    its value.

    >>> @bounded(k=Bound(low=1))
    ... def every(k: int = 5):
    ...     return k
    >>> every(3)
    3
    >>> every(0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ganglion.base.errors.ParameterError: every: k must be a whole number at least 1, got 0; ...
    """

    def around(make: Make) -> Make:
        signature = inspect.signature(make)

        @functools.wraps(make)
        def checked(*args: Any, **options: Any) -> Any:
            given = signature.bind(*args, **options).arguments
            for name, value in given.items():
                if signature.parameters[name].annotation is bool and not isinstance(value, bool):
                    raise ParameterError(f"{make.__name__}: {name} must be True or False, got {value!r}.")
            for name, bound in bounds.items():
                values = given.get(name, ())
                whole = signature.parameters[name].annotation is int
                for value in values if isinstance(values, tuple) else (values,):
                    number(f"{make.__name__}: {name}", value, bound, whole=whole)
            return make(*args, **options)

        return checked  # type: ignore[return-value]

    return around
