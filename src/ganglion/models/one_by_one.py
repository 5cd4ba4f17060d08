"""A transformer that writes: the step of one more place, without the ways of modules.

At width 128 a place costs less arithmetic than calls. Written out, with keys and values in memory that is there
already, a step takes half the time of ``Transformer.step``, and says the same (tested to 1e-5).

Axes: n texts, t places, d numbers, h heads, e = d / h.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.nn.positions import Rotary
from ganglion.nn.transformer import Transformer, TransformerBlock

ROOM = 64  # places more than there are, when memory is taken


class Written(NamedTuple):
    """Keys and values of each block, (2, n, h, room, e), of which the first ``length`` places are taken."""

    memory: list[Tensor]
    length: int


class OneByOne:
    """``step`` of a language model's network (embed, body, head) for texts that are written on, place by place.

    Arguments: the network, whose body is a causal transformer with rotary positions and norms in front.

    The state is changed in place: who wants to go on from it twice takes ``LanguageNet.step``.

    >>> from ganglion.models.language import LanguageNet
    >>> net, codes = LanguageNet(9, units=8, heads=2, layers=1).eval(), torch.tensor([[4, 5]])
    >>> write = OneByOne(net)
    >>> with torch.inference_mode():
    ...     logits, state = write(codes, None)
    ...     write(codes[:, :1], state)[0].shape
    torch.Size([1, 1, 9])
    """

    def __init__(self, net: Any) -> None:
        self.net, self.body = net, net.body
        self.blocks = [parts_of(block) for block in self.body.blocks]

    @staticmethod
    def serves(body: nn.Module) -> bool:
        """Whether it can take the place of a body's own step."""
        return (
            isinstance(body, Transformer)
            and isinstance(body.positions, Rotary)
            and not body.training
            and all(
                block.norm_first
                and block.cross is None
                and block.attention.causal
                and block.attention.window is None
                for block in body.blocks
            )
        )

    def __call__(self, codes: Tensor, state: Written | None) -> tuple[Tensor, Written]:
        """The logits (n, t, k) of codes (n, t) behind those that led to a state, and the state after."""
        if state is None:
            logits, caches = self.net.step(codes)
            memory = [F.pad(torch.stack(tuple(cache.own)), (0, 0, 0, ROOM)) for cache in caches]
            return logits, Written(memory, codes.shape[1])
        if codes.shape[1] > 1:
            raise ValueError(f"one code of each text is expected behind others, got {codes.shape[1]}.")
        memory, t = state
        if t == memory[0].shape[3]:
            memory = [F.pad(one, (0, 0, 0, t)) for one in memory]
        x, turn = self.net.embed(codes[:, 0]), self.body.positions.at(t)
        for (norms, attention, dense, activation), own in zip(self.blocks, memory):
            x = x + attended(x, norms[0], attention, own, t, turn)
            h = activation(torch.addmm(dense[0][0], F.layer_norm(x, x.shape[1:], *norms[1]), dense[0][1]))
            x = x + torch.addmm(dense[1][0], h, dense[1][1])
        return self.net.head(self.body.norm(x))[:, None], Written(memory, t + 1)


def parts_of(block: TransformerBlock) -> tuple[Any, ...]:
    """The tensors of a block as its formula takes them, and its activation."""
    norms = [(norm.weight, norm.bias, norm.eps) for norm in (block.norm_attention, block.norm_dense)]
    attention, dense = block.attention, block.dense
    return (
        norms,
        [turned(attention.query), turned(attention.out)],
        [turned(dense[0]), turned(dense[-1])],
        dense[1],
    )


def turned(layer: Any) -> tuple[Tensor, Tensor]:
    """A layer's bias, and its weights as products of one row are quickest with: a row for each input."""
    return layer.bias.detach(), layer.weight.detach().T.contiguous()


def attended(x: Tensor, norm: Any, layers: Any, own: Tensor, t: int, turn: Tensor) -> Tensor:
    """What an attention takes for vectors (n, d) at place t, whose keys and values are written to ``own``."""
    (bias, weight), (out_bias, out_weight) = layers
    n, d = x.shape
    h, e = own.shape[2], own.shape[4]
    parts = torch.addmm(bias, F.layer_norm(x, (d,), *norm), weight).view(n, 3, h, 1, e)
    compared = parts[:, :2]
    placed = torch.addcmul(compared * turn[0], compared.roll(e // 2, -1), turn[1])
    own[0, :, :, t : t + 1] = placed[:, 1]
    own[1, :, :, t : t + 1] = parts[:, 2]
    taken = F.scaled_dot_product_attention(placed[:, 0], own[0, :, :, : t + 1], own[1, :, :, : t + 1])
    return torch.addmm(out_bias, taken.view(n, d), out_weight)
