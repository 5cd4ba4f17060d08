"""Tokenizers by name, and from their state."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from ganglion.base.errors import ModelFileError, ParameterError
from ganglion.base.named import named
from ganglion.data.tokens.bpe import BPE
from ganglion.data.tokens.bytes import Bytes
from ganglion.data.tokens.characters import Characters
from ganglion.data.tokens.tokenizer import Tokenizer
from ganglion.data.tokens.words import Words

# name -> what makes the tokenizer from the numbers in its brackets
TOKENIZERS: dict[str, Callable[..., Tokenizer]] = {
    "characters": Characters,
    "words": Words,
    "bytes": Bytes,
    "bpe": BPE,
}


def tokenizer_named(text: str) -> Tokenizer:
    """The tokenizer of a name, which may carry numbers in brackets; it has learned nothing yet.

    Raises ``ParameterError`` with the nearest known name, or for arguments that it does not take.

    >>> tokenizer_named("bpe(2)").learn(["low lower"]).encode("low").tolist()
    [261]
    """
    if not isinstance(text, str):
        raise ParameterError(
            f"a tokenizer is named by a text such as 'bpe(8000)', got {type(text).__name__}."
        )
    return named("tokenizer", text, TOKENIZERS)


def tokenizer_from(state: Any) -> Tokenizer:
    """The tokenizer that gave a ``state``, which may come from a stranger.

    Raises ``ModelFileError`` for anything that ``state`` would not give.

    >>> tokenizer_from(tokenizer_named("characters").learn(["ab"]).state()).encode("b").tolist()
    [5]
    """
    if not isinstance(state, dict) or set(state) != {"tokenizer", "settings", "learned"}:
        raise ModelFileError(
            "the state of a tokenizer has 'tokenizer', 'settings' and 'learned' in it, this has something else; "
            "save the tokenizer again."
        )
    kind, settings = state["tokenizer"], state["settings"]
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        got = repr(kind[:40]) if isinstance(kind, str) else type(kind).__name__
        raise ModelFileError(
            f"a tokenizer is one of {', '.join(map(repr, TOKENIZERS))}, got {got}; "
            "save it with a version that this one knows."
        )
    make = TOKENIZERS[kind]
    if not isinstance(settings, dict) or set(settings) != set(signature(make).parameters):
        raise ModelFileError(
            f"the settings of tokenizer {kind!r} are {', '.join(signature(make).parameters) or 'none'}, "
            "these are others; save the tokenizer again."
        )
    try:
        tokenizer = make(**settings)
    except (ValueError, OverflowError, RecursionError) as error:  # the last two for what no JSON can hold
        said = f": {str(error)[:200]}" if isinstance(error, ParameterError) else ""
        raise ModelFileError(
            f"tokenizer {kind!r} has settings that cannot be{said}; save the tokenizer again."
        ) from None
    return tokenizer.restore(state["learned"])
