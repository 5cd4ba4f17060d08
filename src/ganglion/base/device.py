"""Where a run computes."""

import torch

from ganglion.base.errors import ParameterError


def pick_device(name: str = "auto") -> torch.device:
    """The device for a name: ``"auto"`` takes an accelerator if there is one, else the CPU.

    Raises ``ParameterError`` for a device that this machine lacks.

    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        if torch.accelerator.is_available():
            return torch.accelerator.current_accelerator()  # type: ignore[return-value]
        return torch.device("cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise RuntimeError("it computes nothing")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise ParameterError(
            f"device {name!r} is not to be had here ({reason}); use 'cpu' or 'auto'."
        ) from error
    return device
