"""The size of a map after every layer, and one sentence where a kernel no longer fits."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganglion.base.errors import GanglionError, ParameterError
from ganglion.nn.receptive import answering, empty, window_of

FURTHEST = 512  # places that a picture may lack for the message to say how many


class TooLarge(Exception):
    """A window covers more places than its map has with its padding."""


class Fits(TorchFunctionMode):
    """Look at every window before it slides; ``TooLarge`` where it covers more than there is."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        slid = window_of(func.__name__.strip("_"), args, kwargs or {})
        if slid is not None and isinstance(args[0], Tensor):
            covers = [d * (k - 1) + 1 for k, d in zip(slid.kernel, slid.dilation)]
            places = args[0].shape[-len(covers) :]
            if any(c > n + a + b for c, n, (a, b) in zip(covers, places, slid.around)):
                raise TooLarge(words(slid.kernel, slid.dilation), "x".join(map(str, places)))
        return func(*args, **(kwargs or {}))


def words(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> str:
    """A kernel in words.

    >>> words((5, 5), (1, 1)), words((3, 5), (2, 2))
    ('kernel 5', 'kernel 3x5 with dilation 2')
    """
    k, d = (str(n[0]) if len(set(n)) == 1 else "x".join(map(str, n)) for n in (kernel, dilation))
    return f"kernel {k}" + (f" with dilation {d}" if d != "1" else "")


def flat(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers with those of each ``nn.Sequential`` in its place."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from flat(layer)
        else:
            yield layer


def check_shapes(
    layers: Iterable[nn.Module], size: tuple[int, ...], channels: int | None = None
) -> list[tuple[int, ...]]:
    """The size of the map after every layer, by sending one empty picture through.

    Arguments:
        layers: modules in their order, an ``nn.Sequential`` for instance; one inside another counts layer by layer.
        size: places of the picture, (h, w).
        channels: of the picture; those of the first convolution if left out.

    Returns one size a layer, ``()`` where the output is no longer a map. Raises ``ParameterError`` with the layer's
    number where a kernel does not fit into its map or a layer cannot take what the one before it gives.

    >>> from ganglion.nn.convolution import conv
    >>> layers = [conv(1, 4, 3, padding="valid"), nn.MaxPool2d(2), nn.Flatten()]
    >>> check_shapes(layers, (12, 9))
    [(10, 7), (5, 3), ()]
    """
    whole = nn.Sequential(*flat(layers))
    try:
        return walked(whole, size, channels)
    except TooLarge as error:
        kernel, places, index = error.args
        where = f"a {places} map {after(whole, index)}" if index else f"the {places} pictures"
        raise ParameterError(
            f"{kernel} does not fit into {where}: take a smaller kernel, padding='same' or less pooling and stride "
            f"before it{larger(whole, size, channels)}."
        ) from error


def larger(whole: nn.Sequential, size: tuple[int, ...], channels: int | None) -> str:
    """How large pictures must be, where somewhat larger ones would do."""
    for more in range(1, FURTHEST):
        grown = tuple(n + more for n in size)
        if not fits(whole, grown, channels):
            continue
        for axis, n in enumerate(size):  # one direction may have been large enough
            as_it_was = (*grown[:axis], n, *grown[axis + 1 :])
            grown = as_it_was if fits(whole, as_it_was, channels) else grown
        return f", or pictures of at least {'x'.join(map(str, grown))}"
    return ""


def fits(whole: nn.Sequential, size: tuple[int, ...], channels: int | None) -> bool:
    """Whether every kernel fits, up to a layer that refuses for another reason."""
    try:
        walked(whole, size, channels)
    except TooLarge:
        return False
    except GanglionError:
        pass
    return True


def after(whole: nn.Sequential, index: int) -> str:
    """Where that comes from which layer ``index`` (from 0) takes."""
    return f"after layer {index} ({type(whole[index - 1]).__name__})" if index else "at the beginning"


def walked(whole: nn.Sequential, size: tuple[int, ...], channels: int | None) -> list[tuple[int, ...]]:
    """The sizes, or ``TooLarge`` with the layer's number as its last argument."""
    x = empty(whole, size, channels)
    sizes = []
    with answering(whole):
        for i, layer in enumerate(whole):
            given = tuple(x.shape[1:])
            try:
                with Fits():
                    x = layer(x)
            except TooLarge as error:
                raise TooLarge(*error.args, i) from error
            except (RuntimeError, ValueError) as error:
                raise ParameterError(
                    f"layer {i + 1} ({type(layer).__name__}) cannot take what stands {after(whole, i)}, of shape "
                    f"{'x'.join(map(str, given))}: {str(error).splitlines()[0].rstrip('.')}; make the two agree."
                ) from error
            sizes.append(tuple(x.shape[2:]))
    return sizes
