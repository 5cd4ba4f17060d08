"""Names with arguments: what is read, and what is refused in one sentence."""

import pytest

from ganglion.base.errors import ParameterError
from ganglion.base.named import name_in, named


def step(every=10, factor=0.1):
    return every, factor


TABLE = {"step": step, "sam+sgd": lambda: "both", "still": lambda: "still"}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("step", (10, 0.1)),
        ("step(30)", (30, 0.1)),
        (" step( 30 , factor = -0.5 ) ", (30, -0.5)),
        ("still()", "still"),
        ("sam+sgd", "both"),
    ],
)
def test_what_is_read(text, made):
    assert named("schedule", text, TABLE) == made


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stepp", "did you mean 'step'"),
        ("stepp(3)", "did you mean 'step'"),
        ("step(1, 2, 3)", "takes (every=10, factor=0.1)"),
        ("step(speed=2)", "takes (every=10, factor=0.1)"),
        ("step(__import__('os'))", "a name with numbers in brackets"),
        ("step(*[1])", "a name with numbers in brackets"),
        ("step(**{'every': 1})", "a name with numbers in brackets"),
        ("step([1])", "numbers and texts are expected"),
        ("step(1)(2)", "not known|a name with numbers"),
        ("step(" * 1000, "not known"),
        ("step(1", "not known"),
        ("", "not known"),
    ],
)
def test_what_is_refused(text, sentence):
    with pytest.raises(ParameterError, match=sentence.replace("(", r"\(").replace(")", r"\)")) as caught:
        named("schedule", text, TABLE)
    assert len(str(caught.value).splitlines()) == 1


def test_the_name_alone():
    assert name_in("leaky_relu(0.2)") == "leaky_relu"
    assert name_in("no name at all") == "no name at all"
