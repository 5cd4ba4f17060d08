"""Bytes as tokens: the 256 bytes of UTF-8, so that nothing is unknown."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.data.tokens.tokenizer import SPECIALS, STRANGE, Tokenizer, part_of

BYTES = 256
BY_CODE = [b"", STRANGE.encode(), b"", b"", *(bytes([b]) for b in range(BYTES))]
"""The bytes that a code stands for."""
ESCAPED = re.compile("\udced([\udca0-\udcbf])([\udc80-\udcbf])|[\udc80-\udcff]")


class Bytes(Tokenizer):
    """The bytes of a text in UTF-8, byte b with code 4 + b; there is nothing to learn.

    Every text comes back exactly. A lone surrogate, which UTF-8 has no bytes for, takes the three that it would have
    (``surrogatepass`` in Python). Codes that are no UTF-8, as a network may say them, are U+FFFD, one for each byte.

    >>> encoded = Bytes().encode("é")
    >>> encoded.tolist(), Bytes().decode(encoded)
    ([199, 173], 'é')
    """

    kind = "bytes"

    def __init__(self) -> None:
        super().__init__()
        self._learned = True

    def _own(self) -> int:
        return BYTES

    def _learn(self, texts: list[str]) -> None:
        pass

    def _encode(self, texts: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        encoded = [to_bytes(text) for text in texts]
        offsets = np.concatenate([[0], np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))])
        return np.frombuffer(b"".join(encoded), np.uint8) + np.int32(SPECIALS), offsets

    def _decode(self, codes: NDArray[np.int64]) -> str:
        return text_of(codes, BY_CODE)

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, learned: Any) -> None:
        part_of(learned)


def to_bytes(text: str) -> bytes:
    """The bytes of a text in UTF-8, three for a lone surrogate.

    >>> to_bytes("\\ud800")
    b'\\xed\\xa0\\x80'
    """
    return text.encode("utf-8", "surrogatepass")


def text_of(codes: NDArray[np.int64], by_code: Sequence[bytes]) -> str:
    """The text of codes (T,) that stand for bytes.

    >>> text_of(np.array([2, 99, 1, 3]), BY_CODE)
    '_�'
    """
    return to_text(b"".join([by_code[code] for code in codes.tolist()]))


def to_text(raw: bytes) -> str:
    """The text of bytes in UTF-8: what ``to_bytes`` gave comes back, and any other byte is U+FFFD.

    >>> to_text(b"a\\xff")
    'a�'
    """
    # Python has a rule for either, surrogates or broken bytes; here every odd byte first becomes U+DC00 + b
    return ESCAPED.sub(_unescaped, raw.decode("utf-8", "surrogateescape"))


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return STRANGE
    return chr(0xD000 | (ord(match[1]) & 0x3F) << 6 | ord(match[2]) & 0x3F)
