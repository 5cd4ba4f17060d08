"""Texts written token by token: each is drawn from what the network tells after all that came before it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganglion.nn.samplers import choose

Ask = Callable[[Tensor, Any], tuple[Tensor, Any]]


@torch.inference_mode()
def generate(
    ask: Ask,
    prompt: Tensor,
    *,
    length: int,
    context: int,
    end: int | None = None,
    forbidden: tuple[int, ...] = (),
    cached: bool = True,
    **draw: Any,
) -> Tensor:
    """Codes (n, length) that follow a prompt (n, t), -1 behind an end.

    What was read before stays in the network's state, so that a token costs one place and not all of them. A state
    that has reached ``context`` places begins anew with the last half of them, so what a token is told by never
    depends on whether states are kept.

    Arguments:
        ask: ``(codes (n, t), state) -> (logits (n, t, k), state)``, as ``models.language.LanguageNet.step``.
        prompt: at least one code for each row.
        length: tokens at most.
        context: places that the network sees at most.
        end: the code that ends a text.
        forbidden: codes that are never drawn.
        cached: whether states are kept; without, all places are read again for each token.
        draw: temperature, top_k, top_p and generator of ``nn.samplers.choose``.

    >>> def ask(codes, state):
    ...     return torch.nn.functional.one_hot((codes + 1) % 5, 5).float(), state
    >>> generate(ask, torch.tensor([[2]]), length=4, context=8, temperature=0, end=1).tolist()
    [[3, 4, 0, 1]]
    """
    seen = prompt[:, -context:]
    state, new, said = None, seen, []
    over = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    never = torch.tensor(forbidden, dtype=torch.int64, device=prompt.device)
    for _ in range(length):
        if seen.shape[1] > context:
            seen = seen[:, -max(1, context // 2) :]
            state, new = None, seen
        logits, state = ask(new, state) if cached else ask(seen, None)
        last = logits[:, -1].float()
        last.index_fill_(1, never, -torch.inf)
        token = choose(last, **draw)
        said.append(token if end is None else torch.where(over, -1, token))
        if end is not None:
            over = over | (token == end)
            if bool(over.all()):
                break
        new = token[:, None]
        seen = torch.cat([seen, new], 1)
    out = torch.stack(said, 1) if said else prompt[:, :0]
    rest = out.new_full((len(out), length - out.shape[1]), -1)
    return torch.cat([out, rest], 1)
