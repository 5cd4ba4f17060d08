"""Random state: the global generators are seeded for a fit and left as they were found."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ganglion.base.errors import ParameterError


def seed_from(random_state: Any) -> int:
    """A seed from what scikit-learn accepts: ``None`` (a fresh one), an integer, or a generator."""
    if random_state is None:
        return int(np.random.SeedSequence().entropy % (2**31))  # type: ignore[operator]
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31 - 1))
    if not isinstance(random_state, int | np.integer) or not 0 <= random_state < 2**32:
        raise ParameterError(
            f"random_state must be None, a whole number from 0 to 2**32 - 1 or a NumPy generator, got {random_state!r}."
        )
    return int(random_state)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and torch inside the block; put all three back after it, also after an error."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
