"""torch's base of optimisers without the decorators that import torch's compiler for a second."""

import inspect
from typing import Any

import torch


class Light(torch.optim.Optimizer):
    """Base of the optimisers of this house: torch's bookkeeping, nothing of its compiler or profiler."""

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step.hooked = True  # type: ignore[attr-defined] # no profiler frame around a step of microseconds
