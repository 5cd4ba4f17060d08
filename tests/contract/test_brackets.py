"""Numbers in the brackets of a name: whatever stands there, a part or one sentence."""

import inspect

import pytest

from ganglion.base.errors import ParameterError
from ganglion.data.interactions import INTERACTIONS
from ganglion.data.select import SELECTIONS
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.nn.activations import ACTIVATIONS
from ganglion.nn.init import INITS
from ganglion.nn.norms import NORMS
from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES
from ganglion.optim.average import AVERAGES
from ganglion.optim.optimizers import COMBINED, OPTIMIZERS
from ganglion.optim.schedules import SCHEDULES

TABLES = {
    "activation": ACTIVATIONS, "init": INITS, "norm": NORMS, "optimizer": OPTIMIZERS | COMBINED, "schedule": SCHEDULES,
    "average": AVERAGES, "interactions": INTERACTIONS, "select": SELECTIONS, "loss": CLASS_LOSSES | VALUE_LOSSES,
}  # fmt: skip
NONSENSE = [
    "nan", "1e999", "-1e999", "1e300", "-1e300", "9" * 60, "1j", "'x'", "[1]", "(1, 2)", "{}", "x", "__import__('os')",
]  # fmt: skip
BROKEN = [
    "(" * 150, "(1", "1)", "(1))", "()()", "(1)(2)", "(*[1])", "(**{})", "(9=1)", "(a=1, a=2)", ";x", "(1)" * 400_000,
]  # fmt: skip


def sentence(error):
    """The text of an error is one sentence."""
    text = str(error)
    assert 20 < len(text) < 2000
    assert "\n" not in text
    return text


def arguments():
    """(field, name, argument) of everything that takes numbers in brackets."""
    for field, table in TABLES.items():
        for name, make in table.items():
            for argument in inspect.signature(make).parameters:
                if (name, argument) != ("chosen", "texts"):  # these are names of columns
                    yield field, name, argument


def of_loss(field, name):
    return MLPClassifier if field == "loss" and name in CLASS_LOSSES else MLPRegressor


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_in_brackets_is_refused(nonsense):
    tried = 0
    for field, name, argument in arguments():
        first = argument == "at"  # any number of them, without a name
        text = f"{name}({nonsense})" if first else f"{name}({argument}={nonsense})"
        try:
            of_loss(field, name)(**{field: text})._check()
        except ParameterError as error:
            sentence(error)
        else:
            pytest.fail(f"{field}={text!r} was taken")
        tried += 1
    assert tried > 80


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_brackets_are_refused(text):
    for field, table in TABLES.items():
        name = next(iter(table))
        with pytest.raises(ParameterError) as error:
            of_loss(field, name)(**{field: name + text})._check()
        sentence(error.value)
