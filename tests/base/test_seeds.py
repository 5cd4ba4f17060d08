"""Seeds from whatever scikit-learn accepts, and global generators that are left as they were found."""

import random

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.base.seeds import seed_from, seeded


def everything():
    return random.random(), np.random.random(), float(torch.rand(()))


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, np.int64(5), np.uint8(3)])
def test_a_whole_number_is_its_own_seed(seed):
    assert seed_from(seed) == int(seed)
    assert type(seed_from(seed)) is int


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_a_generator_gives_one_seed_after_the_other(make):
    a, b = make(3), make(3)
    drawn = [seed_from(a) for _ in range(5)]
    assert drawn == [seed_from(b) for _ in range(5)]
    assert len(set(drawn)) == 5


def test_none_gives_a_new_seed_each_time():
    drawn = {seed_from(None) for _ in range(20)}
    assert len(drawn) == 20
    assert all(0 <= s < 2**32 for s in drawn)


@pytest.mark.parametrize("wrong", [-1, 2**32, 1.5, "abc", "7", [1], float("nan"), object])
def test_anything_else_is_refused(wrong):
    with pytest.raises(ParameterError, match="random_state must be") as error:
        seed_from(wrong)
    assert "got" in str(error.value)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_inside_all_three_generators_follow_the_seed(seed):
    with seeded(seed):
        first = everything()
    with seeded(seed):
        assert everything() == first
    with seeded(1):
        assert not set(everything()) & set(first)


def test_outside_nothing_has_happened():
    before = states()
    with seeded(3):
        everything()
    assert states() == before


def test_also_after_an_exception():
    before = states()
    with pytest.raises(KeyError), seeded(3):
        everything()
        raise KeyError
    assert states() == before
