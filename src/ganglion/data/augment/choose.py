"""Augmentation chosen from the pictures: what changes them and not what they show.

A flip, a quarter turn or other light is allowed where a quick model finds three things on held-out pictures: of their
classes it still knows at least half of what it knew beyond chance; trained on changed pictures too, it loses next to
nothing on upright ones (where b is a mirrored d, it would); and changed pictures could be there, as they are not told
from others almost without fail. Where there are no classes but masks or boxes, they must hardly be told at all.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ganglion.data.augment.colour import recolour
from ganglion.data.augment.glance import class_glance, features, told_apart

MOST = 4_000  # pictures looked at
FEWEST = 150  # below, nothing can be said
KNOWN = 0.5  # of the share beyond chance that must survive
LOST = 0.03  # of it that training on both may cost
APART, HARDLY = 0.9, 0.6  # share told apart, up to which changed pictures could be there; without classes
PIECE = 128  # pixels of a side from which few large pictures are looked at in pieces
GREY, PLAIN = 0.02, 0.04  # differences of channels, and of border pixels, that count as none
STEP = 16  # pictures that fill their frame move by 1/16 of the side

Change = Callable[[Tensor], Tensor]


def augment_for(images: Tensor, codes: Tensor | None) -> tuple[str, list[str]]:
    """The augmentation that suits the pictures, as a text for ``augment_named``, and the reasons in sentences.

    Arguments:
        images: (n, c, h, w), uint8 or floats in [0, 1].
        codes: class numbers (n,), or ``None`` where there are masks or boxes instead of classes.

    Returns the text, empty where nothing suits, and one sentence for each thing considered. It is a pure function of
    its arguments and takes a second or two, since at most 4,000 pictures are looked at.

    >>> noise = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> augment_for(noise, torch.arange(300) % 2)[0]
    ''
    """
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:MOST]
    x = images[rows]
    x = x / 255 if x.dtype == torch.uint8 else x.float()
    codes = None if codes is None else codes[rows]
    looked, groups = (x, torch.arange(len(x))) if codes is not None else _pieces(x)
    plain, chosen, reasons = features(looked), [], []
    for part, what, change in _candidates(x):
        fits, reason = _fits(what, plain, features(change(looked)), codes, groups)
        reasons.append(reason)
        if fits:
            chosen.append(part)
    if "turn" in chosen and "flip_up_down" in chosen:
        chosen.remove("flip_up_down")  # a flip and turns are all eight
        chosen = chosen if "flip" in chosen else ["flip", *chosen]
    pixels, reason = _shift(x)
    if pixels:
        chosen.insert(sum(not part.startswith("colour") for part in chosen), f"crop({pixels})")
    return "+".join(chosen), [*reasons, reason]


def _candidates(x: Tensor) -> list[tuple[str, str, Change]]:
    """Parts, what they do in words, and the change that is tried."""
    found: list[tuple[str, str, Change]] = [
        ("flip", "flipped left to right", lambda x: x.flip(3)),
        ("flip_up_down", "flipped upside down", lambda x: x.flip(2)),
    ]
    if x.shape[2] == x.shape[3]:
        found.append(("turn", "turned by a quarter", lambda x: x.rot90(1, (2, 3))))
    if x.shape[1] == 3 and float((x.amax(1) - x.amin(1)).mean()) > GREY:
        found.append(("colour(0.2, hue=0.02)", "in other light", _other_light))
    return found


def _other_light(x: Tensor) -> Tensor:
    """Factors and hues as ``colour(0.2, hue=0.02)`` draws them."""
    a, b, c, d = torch.rand(4, len(x), generator=torch.Generator().manual_seed(1)) * 2 - 1
    return recolour(x, 1 + 0.2 * a, 1 + 0.2 * b, 1 + 0.2 * c, 0.02 * d)


def _fits(
    what: str, plain: Tensor, changed: Tensor, codes: Tensor | None, groups: Tensor
) -> tuple[bool, str]:
    """Whether a change suits, and why."""
    if len(plain) < FEWEST or groups.max() < 2:
        return False, f"Not {what}: {int(groups.max()) + 1:,} pictures are too few to try it."
    apart = told_apart(plain, changed, groups)
    if codes is None:
        fits = apart < HARDLY
        sentence = (
            f"{what}: a quick model tells such pictures from others in {apart:.1%} of cases (chance 50%)."
        )
        return fits, _capital(sentence if fits else f"not {sentence}")
    seen = class_glance(plain, changed, codes)
    known = seen.upright - seen.chance
    if known < 4 * seen.spread:
        return False, (
            f"Not {what}: a quick model names {seen.upright:.1%} of held-out pictures rightly, the most frequent class "
            f"alone {seen.chance:.1%}, so it cannot tell what a change costs."
        )
    facts = (
        f"of {seen.n:,} held-out pictures a quick model names {seen.upright:.1%} as they are and {seen.changed:.1%} "
        f"{what} (chance {seen.chance:.1%}), trained on both {seen.both:.1%} as they are; it tells the two kinds apart "
        f"in {apart:.1%} of cases"
    )
    if seen.changed - seen.chance < KNOWN * known:
        return False, f"Not {what}: {facts}. Too little of the classes is left."
    if seen.upright - seen.both > LOST * known + seen.spread:
        return False, f"Not {what}: {facts}. Training on both costs too much."
    if apart > APART:
        return False, f"Not {what}: {facts}. There are no such pictures."
    return True, _capital(f"{what}: {facts}.")


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _pieces(x: Tensor) -> tuple[Tensor, Tensor]:
    """Few large pictures cut into pieces, and which picture each piece is of."""
    n, c, h, w = x.shape
    if n >= 1000 or min(h, w) < PIECE:
        return x, torch.arange(n)
    side = max(min(h, w) // 8, 32)
    cut = x.unfold(2, side, side).unfold(3, side, side)  # (n, c, rows, columns, side, side)
    pieces = cut.permute(0, 2, 3, 1, 4, 5).reshape(-1, c, side, side)
    return pieces, torch.arange(n).repeat_interleave(len(pieces) // n)


def _shift(x: Tensor) -> tuple[int, str]:
    """Whole pixels by which pictures can move, from the plain margin around what they show."""
    h, w = x.shape[2:]
    frame = torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], 2)  # (n, c, border pixels)
    plain = (frame.amax(2) - frame.amin(2)).amax(1) <= PLAIN
    if plain.float().mean() < 0.5:
        pixels, full = round(min(h, w) / STEP), 1 - plain.float().mean()
        return (
            pixels,
            f"{_moved(pixels)}, a sixteenth of the side: {full:.0%} of the pictures fill their frame.",
        )
    background = frame[plain].mean(2)[..., None, None]
    shown = ((x[plain] - background).abs().amax(1) > PLAIN).float()  # (m, h, w)
    margins = [_empty(shown.amax(axis), last) for axis in (1, 2) for last in (False, True)]
    margin = int(torch.stack(margins).amin(0).float().quantile(0.25))
    pixels = min(margin, min(h, w) // 8)
    return pixels, (
        f"{_moved(pixels)}: three quarters of the pictures on plain ground have a margin of at least {margin}."
    )


def _moved(pixels: int) -> str:
    return f"Moved by up to {pixels} pixel{'s' * (pixels > 1)}" if pixels else "Not moved by a whole pixel"


def _empty(shown: Tensor, last: bool) -> Tensor:
    """How many lines (m, lines) are empty before the first that shows something, from one end."""
    return ((shown.flip(1) if last else shown).cumsum(1) == 0).sum(1)
