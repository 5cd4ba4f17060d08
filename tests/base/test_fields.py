"""Fields: one declaration gives signature, check, message, search range and docs."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from ganglion.base.errors import GanglionError, ParameterError
from ganglion.base.fields import (
    LARGEST,
    SMALLEST,
    Above,
    AtLeast,
    Between,
    Bound,
    Fields,
    Known,
    Search,
    check_fields,
    fields_of,
)
from ganglion.base.named import named
from ganglion.base.numbers import number

TABLE = ["red", "green", "blue"]


def paint(text):
    """A part by name, which takes no number but 7."""
    return named("colour", text, {name: lambda n=7: number("n", n, Between(7, 7)) for name in TABLE})


class Base(Fields):
    lr: Annotated[float, Above(0), Search(1e-5, 1e-1, log=True), "step size"] = 0.1
    n: Annotated[int, AtLeast(1), "a count"] = 3


class Thing(Base):
    share: Annotated[float, Between(0, 1, open_high=True), "a share"] = 0.5
    both: Annotated[float, Between(-1, 1), "closed at both ends"] = 0.0
    limit: Annotated[float | None, Above(0), "a limit, if any"] = None
    colour: Annotated[str, Known("colour", lambda: TABLE, paint), "a name out of a table"] = "red"
    size: Annotated[int | Literal["auto", "full"], AtLeast(1), "a number or a word"] = "auto"
    mode: Annotated[Literal["fast", "slow"], "one of two words"] = "fast"
    flag: Annotated[bool, "yes or no"] = False
    sizes: Annotated[tuple[int, ...] | int, AtLeast(1), "several numbers or one"] = (4, 4)
    weights: Annotated[dict[Any, float] | Literal["even"] | None, AtLeast(0), "numbers by name"] = None
    call: Annotated[Callable[[float], float] | None, "a function"] = None
    free: Annotated[Any, "whatever"] = None
    bare: int = 1


RIGHT = {
    "lr": [1, 1e-9, LARGEST, SMALLEST, np.float32(0.5), np.int64(2)],
    "n": [1, 10**9, np.int8(4)],
    "share": [0, 0.0, 0.999],
    "both": [-1, 1, 0.5],
    "limit": [None, 1e-6],
    "colour": [*TABLE, "red(7)", "blue(n=7)"],
    "size": ["auto", "full", 1, np.int64(3)],
    "mode": ["slow"],
    "flag": [True, np.True_],
    "sizes": [(), (1,), [2, 3], 7, (np.int64(2),)],
    "weights": [None, "even", {}, {"a": 1, 2: 0.5, None: 0.0}],
    "call": [None, abs, lambda v: v],
    "free": [object(), None, 3],
    "bare": [-5],
}
WRONG = {
    "lr": [0, -1, 1e300, 1e-300, 10**400, "0.1", None, True, float("nan"), float("inf"), 1j, [0.1]],
    "n": [0, 1.0, 2.5, True, None, "3"],
    "share": [-0.1, 1, 1.0, "half"],
    "both": [-1.01, 1.01],
    "limit": [0, -3, "none", float("inf")],
    "colour": ["red(8)", "red(7, 7)", "red(nan)", "red(", "purple", "Red", "", 3, None],
    "size": ["Auto", 0, -1, 2.0, None, ["full"]],
    "mode": ["medium", None, 1],
    "flag": [0, 1, "yes", None],
    "sizes": [(0,), (4, -1), (2.0,), (True,), "8", None, 0, [[3]], np.array([3])],
    "weights": [{"a": "b"}, {"a": -1}, {"a": None}, "odd", [1.0], {"a": float("nan")}],
    "call": ["abs", 3],
    "bare": [1.5, "x"],
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_allowed_passes(name):
    for value in RIGHT[name]:
        check_fields(Thing(**{name: value}))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_allowed_is_named_with_expected_and_got(name):
    for value in WRONG[name]:
        with pytest.raises(ParameterError) as error:
            check_fields(Thing(**{name: value}))
        text = str(error.value)
        assert text.startswith("Thing: ")
        assert name in text
        assert repr(value)[:40] in text
        assert "\n" not in text
        if not isinstance(value, str) or name != "colour":
            assert fields_of(Thing)[name].allowed() in text
            assert repr(getattr(Thing(), name)) in text  # the default


def test_every_field_is_tried():
    assert set(RIGHT) == set(fields_of(Thing))
    assert set(WRONG) == set(RIGHT) - {"free"}


def test_the_words_of_what_is_allowed():
    words = {name: field.allowed() for name, field in fields_of(Thing).items()}
    assert words == {
        "lr": "a number above 0",
        "n": "a whole number at least 1",
        "share": "a number at least 0 and below 1",
        "both": "a number at least -1 and at most 1",
        "limit": "a number above 0 or None",
        "colour": "one of 'red', 'green', 'blue'",
        "size": "a whole number at least 1, 'auto' or 'full'",
        "mode": "'fast' or 'slow'",
        "flag": "True or False",
        "sizes": "a tuple of whole numbers at least 1 or a whole number at least 1",
        "weights": "a dict of numbers at least 0, 'even' or None",
        "call": "a function or None",
        "free": "anything",
        "bare": "a whole number",
    }


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'green'"):
        check_fields(Thing(colour="gren"))


def test_a_table_of_names_may_grow():
    TABLE.append("violet")
    try:
        check_fields(Thing(colour="violet"))
        assert "'violet'" in fields_of(Thing)["colour"].allowed()
    finally:
        TABLE.remove("violet")


def test_long_values_are_cut():
    with pytest.raises(ParameterError) as error:
        check_fields(Thing(lr="x" * 10_000))
    assert len(str(error.value)) < 200


def test_the_constructor_only_stores():
    wrong = {"lr": -1, "colour": 3, "sizes": "x"}
    thing = Thing(**wrong)
    assert {k: getattr(thing, k) for k in wrong} == wrong
    assert set(vars(thing)) == set(fields_of(Thing))


def test_the_signature_is_real_and_keyword_only():
    parameters = inspect.signature(Thing).parameters
    assert list(parameters) == list(fields_of(Thing)) == ["lr", "n", *list(RIGHT)[2:]]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert parameters["lr"].default == 0.1
    with pytest.raises(TypeError):
        Thing(0.1)
    with pytest.raises(TypeError):
        Thing(speed=1)


def test_two_objects_are_equal_only_if_they_are_one():
    assert Thing() != Thing()
    assert len({Thing(), Thing()}) == 2


def test_a_field_carries_meaning_bound_and_search_range():
    lr = fields_of(Thing)["lr"]
    assert (lr.meaning, lr.default, lr.search) == ("step size", 0.1, Search(1e-5, 1e-1, log=True))
    assert lr.bound == Bound(low=0, open_low=True)
    assert fields_of(Base)["lr"] == lr
    assert fields_of(Thing)["colour"].known.kind == "colour"


def test_a_subclass_may_give_another_default():
    class Other(Thing):
        lr: Annotated[float, Above(0), "step size"] = 0.01

    assert fields_of(Other)["lr"].default == Other().lr == 0.01
    assert fields_of(Thing)["lr"].default == 0.1


def test_the_error_is_caught_as_what_others_expect():
    assert issubclass(ParameterError, GanglionError)
    assert issubclass(ParameterError, ValueError)
    assert issubclass(ParameterError, TypeError)


def test_a_subclass_gives_an_inherited_field_another_default_by_its_name():
    class Slow(Fields):
        lr: Annotated[float, Above(0), "step size"] = 0.1
        steps: Annotated[int, AtLeast(1), "how many"] = 5

    class Quick(Slow):
        lr = 0.5

    assert (Quick().lr, Quick().steps, Slow().lr) == (0.5, 5, 0.1)
    assert fields_of(Quick)["lr"].meaning == "step size"
    assert list(fields_of(Quick)) == ["lr", "steps"]
    with pytest.raises(ParameterError, match="above 0"):
        check_fields(Quick(lr=-1.0))
