"""Optimisers by name: torch's own where torch has them, ours where not, and two that go around another one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.base.fields import Above, AtLeast, Between
from ganglion.base.named import name_in, named
from ganglion.optim.around import Lookahead, Sam
from ganglion.optim.bounded import BELOW_ONE, SHARE, bounded
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.lion import Lion
from ganglion.optim.muon import Muon, hidden_matrices

MOST = 1000  # rounds inside one step
ADAM_BETA2 = 0.95  # reacts sooner than 0.999 when a run is a few thousand steps


@dataclass(frozen=True)
class Wanted:
    """What every optimiser is made from: the module, step size, weight decay, momentum (beta_1), and arithmetic."""

    module: nn.Module
    lr: float
    weight_decay: float
    momentum: float
    bf16: bool = False

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Weights, which are decayed, and biases and norms, which are not."""
        params = [p for p in self.module.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in params if p.dim() > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in params if p.dim() <= 1], "weight_decay": 0.0},
        ]
        return [g for g in groups if g["params"]]


Maker = Callable[[Wanted], Any]


@bounded()
def sgd(nesterov: bool = False) -> Maker:
    """``v <- momentum v + g + decay w``, ``w <- w - lr v`` (Polyak 1964), or Nesterov's look ahead (1983).

    Full, mini-batch and online descent are the batch sizes ``"full"``, k and 1; plain descent has momentum 0.
    """
    return lambda w: torch.optim.SGD(
        w.groups, lr=w.lr, momentum=w.momentum, nesterov=nesterov and w.momentum > 0
    )


@bounded(eps=Above(0))
def adagrad(eps: float = 1e-10) -> Maker:
    """``w <- w - lr g / (sqrt(sum g^2) + eps)``, L2 decay (Duchi et al. 2011)."""
    return lambda w: torch.optim.Adagrad(w.groups, lr=w.lr, eps=eps)


@bounded(alpha=BELOW_ONE, eps=Above(0))
def rmsprop(alpha: float = 0.99, eps: float = 1e-8, centered: bool = False) -> Maker:
    """``v <- alpha v + (1 - alpha) g^2``, ``w <- w - lr g / (sqrt(v) + eps)``, L2 decay (Hinton 2012)."""
    return lambda w: torch.optim.RMSprop(w.groups, lr=w.lr, alpha=alpha, eps=eps, centered=centered)


@bounded(rho=BELOW_ONE, eps=Above(0))
def adadelta(rho: float = 0.9, eps: float = 1e-6) -> Maker:
    """Steps as long as earlier steps were, over the gradients' size; L2 decay (Zeiler 2012, arXiv:1212.5701)."""
    return lambda w: torch.optim.Adadelta(w.groups, lr=w.lr, rho=rho, eps=eps)


@bounded(beta2=BELOW_ONE, eps=Above(0))
def adam(beta2: float = ADAM_BETA2, eps: float = 1e-8, amsgrad: bool = False) -> Maker:
    """``w <- w - lr m / (sqrt(v) + eps)`` with corrected moments, L2 decay (Kingma and Ba 2015, arXiv:1412.6980).

    ``amsgrad`` divides by the largest v so far (Reddi et al. 2018).
    """
    return lambda w: torch.optim.Adam(w.groups, lr=w.lr, betas=(w.momentum, beta2), eps=eps, amsgrad=amsgrad)


@bounded(beta2=BELOW_ONE, eps=Above(0))
def adamw(beta2: float = ADAM_BETA2, eps: float = 1e-8) -> Maker:
    """Adam with decoupled decay ``w <- w - lr decay w`` (Loshchilov and Hutter 2019, arXiv:1711.05101)."""
    return lambda w: torch.optim.AdamW(w.groups, lr=w.lr, betas=(w.momentum, beta2), eps=eps)


@bounded(beta2=BELOW_ONE, eps=Above(0))
def nadam(beta2: float = 0.999, eps: float = 1e-8) -> Maker:
    """Adam with Nesterov's momentum (Dozat 2016), decoupled decay."""
    return lambda w: torch.optim.NAdam(
        w.groups, lr=w.lr, betas=(w.momentum, beta2), eps=eps, decoupled_weight_decay=True
    )


@bounded(beta2=BELOW_ONE, eps=Above(0))
def radam(beta2: float = 0.999, eps: float = 1e-8) -> Maker:
    """Adam that starts as momentum until v can be trusted (Liu et al. 2020, arXiv:1908.03265), decoupled decay."""
    return lambda w: torch.optim.RAdam(
        w.groups, lr=w.lr, betas=(w.momentum, beta2), eps=eps, decoupled_weight_decay=True
    )


@bounded(beta2=BELOW_ONE)
def lion(beta2: float = 0.99) -> Maker:
    """See ``optim.lion.Lion``; decoupled decay."""
    return lambda w: Lion(w.groups, lr=w.lr, betas=(w.momentum, beta2))


@bounded(history=Between(1, MOST), iterations=Between(1, MOST))
def lbfgs(history: int = 100, iterations: int = 20, line_search: bool = True) -> Maker:
    """Newton steps from the last gradients (Liu and Nocedal 1989), ``iterations`` of them a step; no decay."""
    search = "strong_wolfe" if line_search else None

    def make(w: Wanted) -> torch.optim.Optimizer:
        if w.weight_decay:
            raise ParameterError("optimizer 'lbfgs' has no weight decay; set weight_decay=0 or take 'adamw'.")
        params = [p for g in w.groups for p in g["params"]]
        return torch.optim.LBFGS(
            params, lr=w.lr, max_iter=iterations, history_size=history, line_search_fn=search
        )

    return make


@bounded(mu=BELOW_ONE, rounds=Between(1, MOST), beta2=BELOW_ONE)
def muon(mu: float = 0.95, rounds: int = 5, beta2: float = ADAM_BETA2) -> Maker:
    """See ``optim.muon.Muon``; decoupled decay."""

    def make(w: Wanted) -> Muon:
        turned, groups = hidden_matrices(w.module), []
        for g in w.groups:
            for orthogonal in (True, False):
                params = [p for p in g["params"] if (p in turned) == orthogonal]
                groups += [{**g, "params": params, "orthogonal": orthogonal}] if params else []
        return Muon(groups, mu, rounds, w.bf16, lr=w.lr, betas=(w.momentum, beta2))

    return make


BASES: dict[str, Callable[..., Maker]] = {
    "sgd": sgd,
    "momentum": sgd,
    "nesterov": partial(sgd, nesterov=True),
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adadelta": adadelta,
    "adam": adam,
    "adamw": adamw,
    "nadam": nadam,
    "radam": radam,
    "lion": lion,
    "muon": muon,
}


@bounded(rho=Above(0))
def sam(rho: float = 0.05, base: str = "sgd") -> Maker:
    """See ``optim.around.Sam``; decay as in the base."""
    make = named("optimizer", str(base), BASES)
    return lambda w: Sam(make(w), rho)


@bounded(k=AtLeast(1), alpha=SHARE)
def lookahead(k: int = 5, alpha: float = 0.5, base: str = "adamw") -> Maker:
    """See ``optim.around.Lookahead``; decay as in the base."""
    make = named("optimizer", str(base), BASES)
    return lambda w: Lookahead(make(w), k, alpha)


OPTIMIZERS: dict[str, Callable[..., Maker]] = {**BASES, "lbfgs": lbfgs, "sam": sam, "lookahead": lookahead}
COMBINED: dict[str, Callable[..., Maker]] = {
    f"{name}+{base}": partial(around, base=base)
    for name, around in (("sam", sam), ("lookahead", lookahead))
    for base in BASES
}


def optimizer_names() -> list[str]:
    """All names, those with a base of their own last."""
    return [*OPTIMIZERS, *COMBINED]


def optimizer_named(text: str) -> Maker:
    """What makes the named optimiser; raises ``ParameterError`` for an unknown name and for arguments out of range."""
    return named("optimizer", text, OPTIMIZERS | COMBINED)


def make_optimizer(
    text: str,
    module: nn.Module,
    lr: float,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
    bf16: bool = False,
) -> Any:
    """The named optimiser over a module; weights are decayed, biases and norms are not.

    Arguments:
        text: a key of ``OPTIMIZERS`` with its arguments, or around a base of your own: ``"sam+adamw"``.
        lr: step size.
        weight_decay: decoupled or an L2 term in the gradient, as each function says.
        momentum: of ``sgd`` and ``nesterov``; beta_1 of the others that have one.
        bf16: whether products of the optimiser itself, muon's, are rounded as those of the network are.

    Raises ``ParameterError`` for an unknown name and for arguments out of range.

    >>> type(make_optimizer("sgd", nn.Linear(2, 1), 0.1)).__name__
    'SGD'
    >>> make_optimizer("adam(beta2=0.999)", nn.Linear(2, 1), 0.1).param_groups[0]["betas"]
    (0.9, 0.999)
    """
    return optimizer_named(text)(Wanted(module, lr, weight_decay, momentum, bf16))


def goes_flat(text: str) -> bool:
    """Whether the optimiser of a name has a form over one buffer."""
    return name_in(text) == "adamw"


def make_flat(
    text: str, flat: Flat, lr: float, weight_decay: float = 0.0, momentum: float = 0.9
) -> FlatAdamW:
    """The named optimiser over one buffer, with the arguments of ``make_optimizer``."""

    @bounded(beta2=BELOW_ONE, eps=Above(0))
    def adamw(beta2: float = ADAM_BETA2, eps: float = 1e-8) -> FlatAdamW:
        return FlatAdamW(flat, lr, (momentum, beta2), eps, weight_decay)

    return named("optimizer", text, {"adamw": adamw})
