"""All parameters of a small network in one buffer, so that an update is one kernel instead of one per layer."""

from typing import Any

import torch
from torch import nn

from ganglion.optim.light import Light


class Flat:
    """One buffer for the parameters of a module and one for their gradients; the module keeps views of both.

    Weights stand first, biases after them, so that weight decay is one slice.
    """

    def __init__(self, module: nn.Module) -> None:
        params = [p for p in module.parameters() if p.requires_grad]
        self.params = [p for p in params if p.dim() > 1] + [p for p in params if p.dim() <= 1]
        self.n_decayed = sum(p.numel() for p in params if p.dim() > 1)
        with torch.no_grad():
            self.value = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in self.params]))
        self.value.grad = torch.zeros_like(self.value)
        at = 0
        for p in self.params:
            cut = slice(at, at + p.numel())
            p.data = self.value.data[cut].view(p.shape)
            p.grad = self.value.grad[cut].view(p.shape)
            at += p.numel()

    def release(self) -> None:
        """Give every parameter memory of its own again."""
        for p in self.params:
            p.data, p.grad = p.data.clone(), None


class FlatAdamW(Light):
    """AdamW on a ``Flat`` buffer, by torch's fused kernel; biases are not decayed.

    The arithmetic is that of ``torch.optim.AdamW(fused=True)`` (Loshchilov and Hutter 2019,
    arXiv:1711.05101); what is saved is the bookkeeping around it, most of a small network's step.
    """

    _step_supports_amp_scaling = True  # torch's word for: heeds ``found_inf``
    grad_scale = found_inf = None

    def __init__(
        self,
        flat: Flat,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__([flat.value], {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        p = flat.value
        self.decayed = p.data[: flat.n_decayed]
        self.state[p] = {
            "m": torch.zeros_like(p.data),
            "v": torch.zeros_like(p.data),
            "t": torch.zeros((), device=p.device),
        }
        self._bind()

    def _bind(self) -> None:
        p = self.param_groups[0]["params"][0]
        state = self.state[p]
        self._tensors: Any = ([p.data], [p.grad], [state["m"]], [state["v"]], [], [state["t"]])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to zero in place: the parameters hold views of them."""
        self._tensors[1][0].zero_()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update."""
        group, found_inf = self.param_groups[0], self.found_inf
        lr = group["lr"]
        live = (
            1.0 if found_inf is None else 1.0 - found_inf
        )  # 0 on the device when the step is not to be applied
        if group["weight_decay"]:
            self.decayed.mul_(1.0 - lr * group["weight_decay"] * live)
        self._tensors[5][0].add_(1)
        torch._fused_adamw_(
            *self._tensors,
            lr=lr,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=0.0,
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
            found_inf=found_inf,
        )
        if found_inf is not None:
            self._tensors[5][0].sub_(found_inf)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back to a saved state, into the same buffers (torch's own way costs 0.7 s of imports)."""
        group, saved = self.param_groups[0], state_dict["state"][0]
        mine = self.state[group["params"][0]]
        if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in saved.items()}:
            raise ValueError("the saved state is not of this optimiser and network")
        for k, v in mine.items():
            v.copy_(saved[k])
        group.update({k: v for k, v in state_dict["param_groups"][0].items() if k != "params"})
