"""What every tokenizer is: texts become whole numbers, the codes, and codes become texts again."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError, GanglionError, ModelFileError, ParameterError
from ganglion.base.fields import Between
from ganglion.data.tokens.clean import checked_text, checked_texts

PAD, UNKNOWN, BEGIN, END = range(4)
"""Codes of what is no text, the same for all tokenizers: padding, what was not learned, begin and end of a text."""
SPECIALS = 4
"""The first code of a tokenizer's own."""
TIMES = Between(1, 1_000_000_000)
"""How often something must stand in the texts to be learned, as a setting."""
STRANGE = "\ufffd"
"""What ``UNKNOWN`` reads as: Unicode's character for what cannot be represented."""


class Tokenizer(ABC):
    """Texts as codes: 0 padding, 1 unknown, 2 begin, 3 end, and from 4 on what was learned.

    ``encode`` adds neither begin nor end. Whoever makes a new one gives ``kind`` and the five methods below that
    begin with an underscore.
    """

    kind: ClassVar[str]

    def __init__(self, **settings: int | bool) -> None:
        self.settings = settings
        self._learned = False

    def __repr__(self) -> str:
        """The name that makes another one like this, as ``tokenizer_named`` reads it."""
        given = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"{self.kind}({given})" if given else self.kind

    @property
    def size(self) -> int:
        """How many codes there are, the special ones included; all are below it."""
        self._needs_learning()
        return SPECIALS + self._own()

    def learn(self, texts: Any) -> Self:
        """Learn the codes from texts (a list, an array or a column), forgetting earlier ones.

        Raises ``DataError`` naming the row for what is no text.
        """
        self._learn(checked_texts(texts))
        self._learned = True
        return self

    def encode(self, text: str) -> NDArray[np.int32]:
        """The codes (T,) of a text. Raises ``DataError`` for what is no text."""
        self._needs_learning()
        return self._encode([checked_text(text)])[0]

    def encode_all(self, texts: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The codes (total,) of n texts one behind the other, and offsets (n + 1,).

        Text i has ``codes[offsets[i] : offsets[i + 1]]``, which are those of ``encode``. Raises ``DataError`` naming
        the row for what is no text.
        """
        self._needs_learning()
        return self._encode(checked_texts(texts))

    def decode(self, codes: Any) -> str:
        """The text of codes (T,): padding, begin and end are left out, unknown is U+FFFD.

        Raises ``DataError`` for what is no code of this tokenizer.
        """
        return self._decode(checked_codes(codes, self.size))

    def state(self) -> dict[str, Any]:
        """All of it as plain values for JSON, from which ``tokenizer_from`` makes it again."""
        self._needs_learning()
        return {"tokenizer": self.kind, "settings": dict(self.settings), "learned": self._state()}

    def restore(self, learned: Any) -> Self:
        """Take over the ``"learned"`` part of a state. Raises ``ModelFileError`` for what ``state`` would not give."""
        self._restore(learned)
        self._learned = True
        return self

    def _needs_learning(self) -> None:
        if not self._learned:
            raise GanglionError(f"tokenizer {self!r} has learned nothing yet; call learn(texts) first.")

    @abstractmethod
    def _own(self) -> int:
        """How many codes of its own it has."""

    @abstractmethod
    def _learn(self, texts: list[str]) -> None: ...

    @abstractmethod
    def _encode(self, texts: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...

    @abstractmethod
    def _decode(self, codes: NDArray[np.int64]) -> str: ...

    @abstractmethod
    def _state(self) -> dict[str, Any]: ...

    @abstractmethod
    def _restore(self, learned: Any) -> None: ...


def checked_codes(codes: Any, size: int) -> NDArray[np.int64]:
    """Codes (T,) as an array, if they are whole numbers from 0 below ``size``; else ``DataError``.

    >>> checked_codes([4, 5], 6)
    array([4, 5])
    """
    try:
        array = np.asarray(codes)
    except (TypeError, ValueError, RuntimeError):  # ragged lists, and tensors that are not on the CPU
        array = np.asarray(None)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        got = f"{array.dtype} {array.shape}" if array.dtype != object else type(codes).__name__
        raise DataError(f"codes are whole numbers (T,), got {got}; give the codes of one text.")
    wrong = (array < 0) | (array >= size)
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(
            f"codes from 0 to {size - 1} are expected, got {array[at]} at place {at}; "
            "give codes of the same tokenizer."
        )
    return array.astype(np.int64)


def part_of(learned: Any, *names: str) -> list[Any]:
    """The values of a state's part that has these names and no others; else ``ModelFileError``."""
    if not isinstance(learned, dict) or set(learned) != set(names):
        raise ModelFileError(
            f"the learned part of a tokenizer has {', '.join(map(repr, names)) or 'nothing'} in it, "
            "this one has something else; save the tokenizer again."
        )
    return [learned[name] for name in names]


def whole_numbers(what: str, values: Any, low: int, high: int, most: int) -> NDArray[np.int64]:
    """A list of a state as an array, if it has at most ``most`` whole numbers from low to high.

    Raises ``ModelFileError`` for anything else.

    >>> whole_numbers("merges", [4, 5], 4, 300, 10)
    array([4, 5])
    """
    if not isinstance(values, list) or len(values) > most:
        raise ModelFileError(
            f"{what} of a tokenizer are a list of at most {most} entries, got "
            f"{len(values) if isinstance(values, list) else type(values).__name__}; save the tokenizer again."
        )
    wrong = next((i for i, v in enumerate(values) if type(v) is not int or not low <= v <= high), None)
    if wrong is not None:
        kind = type(values[wrong])
        raise ModelFileError(
            f"{what} of a tokenizer are whole numbers from {low} to {high}, entry {wrong} is "
            f"{'outside' if kind is int else kind.__name__}; save the tokenizer again."
        )
    return np.array(values, np.int64)


def truth(what: str, value: Any) -> bool:
    """The value, if it is True or False; else ``ParameterError``."""
    if not isinstance(value, bool):
        raise ParameterError(f"{what} must be True or False, got {value!r}; give one of the two.")
    return value
