"""Names from the data made fit to be drawn: one line, no markup, no control characters."""

import unicodedata
from typing import Any

from matplotlib.text import Text

KEPT_OUT = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
TURNING = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"}


def clean(text: Any) -> str:
    """A text without what breaks XML or turns the line round: controls, lone surrogates, direction marks.

    Line breaks and tabs become spaces.

    >>> clean("a\\x00\\tb\\u202ec")
    'a bc'
    """
    spaced = (" " if sign in "\t\r\n\v\f" else sign for sign in str(text))
    return "".join(
        sign for sign in spaced if unicodedata.category(sign) not in KEPT_OUT and sign not in TURNING
    )


def label(text: Any, width: int = 22) -> str:
    """A cleaned text cut in its middle to ``width`` characters, so that both ends still tell names apart.

    >>> label("the_first_very_long_column_name_2", 15)
    'the_fir…_name_2'
    """
    line = clean(text)
    if len(line) <= width:
        return line
    half = (width - 1) // 2
    return f"{line[: width - 1 - half]}…{line[len(line) - half :]}"


def without_math(*texts: Text) -> None:
    """Draw dollar signs as dollar signs: matplotlib would read what stands between two of them as TeX."""
    for text in texts:
        text.set_parse_math(False)
