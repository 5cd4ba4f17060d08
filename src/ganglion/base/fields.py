"""Hyper-parameters declared once: signature, check, message, command flag, search range and docs.

A field is an annotation on a class that inherits from ``Fields``::

    lr: Annotated[float, Above(0), Search(1e-5, 1e-1, log=True), "step size of the optimiser"] = 1e-3
"""

import math
import os
import sys
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from dataclasses import fields as dataclass_fields
from functools import cache
from inspect import get_annotations
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Union, dataclass_transform, get_args, get_origin, get_type_hints

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.base.named import name_in

LARGEST, SMALLEST = 1e30, 1e-30  # beyond, numbers overflow in single precision, or become 0


@dataclass(frozen=True)
class Bound:
    """An allowed interval for a number; ``None`` is no bound."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def admits(self, value: float) -> bool:
        """Whether the number lies inside."""
        if self.low is not None and (value < self.low or (self.open_low and value == self.low)):
            return False
        return not (self.high is not None and (value > self.high or (self.open_high and value == self.high)))

    def words(self) -> str:
        """The interval in words, for messages and help."""
        low = None if self.low is None else f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = None if self.high is None else f"{'below' if self.open_high else 'at most'} {self.high:g}"
        return " and ".join(part for part in (low, high) if part)


def Above(low: float) -> Bound:
    """Numbers greater than ``low``."""
    return Bound(low=low, open_low=True)


def AtLeast(low: float) -> Bound:
    """Numbers greater than or equal to ``low``."""
    return Bound(low=low)


def Between(low: float, high: float, *, open_high: bool = False) -> Bound:
    """Numbers from ``low`` to ``high``, the upper end left out with ``open_high``."""
    return Bound(low=low, high=high, open_high=open_high)


@dataclass(frozen=True)
class Known:
    """Names out of a table that is read when it is needed, so that it may still grow; see ``base.named``.

    ``make`` gives the part that a text names, or raises ``ParameterError`` for what stands in its brackets. Where
    several may be ``joined`` by ``+``, it judges the names too.
    """

    kind: str
    names: Callable[[], list[str]]
    make: Callable[[str], object] = str
    joined: bool = False


@dataclass(frozen=True)
class Search:
    """The range in which a search looks for this value."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Field:
    """One declared hyper-parameter, as its annotation says it."""

    name: str
    type: Any
    default: Any
    meaning: str
    bound: Bound | None
    known: Known | None
    search: Search | None

    def allowed(self) -> str:
        """What may stand here, in words."""
        words = _type_words(self.type)
        if self.known:
            words = words.replace("a text", "one of " + ", ".join(map(repr, self.known.names())))
        if self.bound and self.bound.words():
            words = words.replace("a number", f"a number {self.bound.words()}")
            words = words.replace("whole numbers", f"whole numbers {self.bound.words()}")
            words = words.replace("a whole number", f"a whole number {self.bound.words()}")
            words = words.replace("a dict of numbers", f"a dict of numbers {self.bound.words()}")
        return words

    def check(self, value: Any, owner: str) -> None:
        """Raise ``ParameterError`` unless the value is allowed."""
        if isinstance(value, str) and self.known and value not in _literals(self.type):
            if (name := name_in(value)) not in self.known.names() and not self.known.joined:
                raise ParameterError(f"{owner}: " + unknown_name(self.name, name, self.known.names()))
            try:
                self.known.make(value)
            except ParameterError as error:
                raise ParameterError(f"{owner}: {self.name}={_short(value)}: {error}") from error
            return
        if not _fits(value, self.type) or not self._in_bound(value):
            raise ParameterError(
                f"{owner}: {self.name} must be {self.allowed()}, got {_short(value)}{why_not(value)}; "
                f"the default is {self.default!r}."
            )

    def _in_bound(self, value: Any) -> bool:
        if self.bound is None:
            return True
        numbers = value.values() if isinstance(value, dict) else value
        numbers = numbers if isinstance(value, tuple | list | dict) else (value,)
        real = [v for v in numbers if isinstance(v, Real) and not isinstance(v, bool)]
        return all(self.bound.admits(v) and not why_not(v) for v in real)  # type: ignore[arg-type]


@dataclass_transform(kw_only_default=True, eq_default=False)
class Fields:
    """Base of everything with declared hyper-parameters; subclasses become keyword-only dataclasses.

    A subclass gives an inherited field another default by naming it alone: ``lr = 4e-3``.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        own = get_annotations(cls)
        declared = {k: v for base in cls.__mro__[:0:-1] for k, v in get_annotations(base).items()}
        again = {k: declared[k] for k in vars(cls) if k in declared and k not in own}
        cls.__annotations__ = own | again
        dataclass(kw_only=True, eq=False, repr=False)(cls)
        super().__init_subclass__(**kwargs)


@cache
def fields_of(cls: type) -> dict[str, Field]:
    """The declared fields of a class by name, inherited ones first.

    >>> from typing import Annotated
    >>> class Tiny(Fields):
    ...     lr: Annotated[float, Above(0), "step size"] = 0.1
    >>> fields_of(Tiny)["lr"].allowed()
    'a number above 0'
    """
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: _read(f.name, hints[f.name], f.default) for f in dataclass_fields(cls)}  # type: ignore[arg-type]


def check_fields(owner: Any) -> None:
    """Check every declared hyper-parameter of an object; raise ``ParameterError`` for the first wrong one."""
    for name, declared in fields_of(type(owner)).items():  # type: ignore[arg-type]
        declared.check(getattr(owner, name), type(owner).__name__)


def _read(name: str, hint: Any, default: Any) -> Field:
    kind, extras = (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())

    def first(wanted: type) -> Any:
        return next((e for e in extras if isinstance(e, wanted)), None)

    default = None if default is MISSING else default
    return Field(name, kind, default, first(str) or "", first(Bound), first(Known), first(Search))


def _options(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def _literals(kind: Any) -> tuple[Any, ...]:
    return tuple(v for option in _options(kind) if get_origin(option) is Literal for v in get_args(option))


def _fits(value: Any, kind: Any) -> bool:
    return any(_fits_one(value, option) for option in _options(kind))


def _fits_one(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    if get_origin(kind) is Literal:
        return isinstance(value, str | bool | int) and value in get_args(kind)
    if kind is bool:
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        return -math.inf < number < math.inf
    if get_origin(kind) is tuple:
        return isinstance(value, tuple | list) and all(_fits(v, get_args(kind)[0]) for v in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(_fits(v, get_args(kind)[1]) for v in value.values())
    if kind is Callable or get_origin(kind) is Callable:
        return callable(value)
    return isinstance(value, kind)


def why_not(value: Any) -> str:
    """A few words where a number is so large or small that no computation can use it, else nothing.

    >>> why_not(1e300), why_not(-1e-300), why_not(3)
    (' (numbers beyond 1e+30 overflow)', ' (numbers below 1e-30 are lost)', '')
    """
    numbers = value if isinstance(value, tuple | list) else (value,)
    for v in numbers:
        size: Any = abs(v) if isinstance(v, Real) else 0
        most = sys.maxsize if isinstance(v, Integral) else LARGEST
        if most < size < math.inf:
            return f" (numbers beyond {most:g} overflow)"
        if 0 < size < SMALLEST:
            return f" (numbers below {SMALLEST:g} are lost)"
    return ""


def _type_words(kind: Any) -> str:
    words = {
        float: "a number",
        int: "a whole number",
        bool: "True or False",
        str: "a text",
        dict: "a dict",
        os.PathLike: "a path",
    }
    parts = []
    for option in _options(kind):
        if option is type(None):
            parts.append("None")
        elif option is Any:
            parts.append("anything")
        elif Callable in (option, get_origin(option)):
            parts.append("a function")
        elif get_origin(option) is Literal:
            parts += [repr(v) for v in get_args(option)]
        elif get_origin(option) is tuple:
            parts.append("a tuple of whole numbers" if get_args(option)[0] is int else "a tuple")
        elif get_origin(option) is dict:
            parts.append("a dict of numbers" if get_args(option)[1] is float else "a dict")
        else:
            parts.append(words.get(option) or f"a {getattr(option, '__name__', str(option))}")
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " or " + parts[-1]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
