"""Music of several voices: as numbers step by step, as tokens for a language model, and as a picture.

A piece (T, V) holds for each step, usually a sixteenth, the note of each voice as a MIDI number (60 is the middle C, 12
an octave) or -1 for silence. Equal numbers one after another are one held note: nothing tells them from repeated ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between
from ganglion.base.numbers import number

SILENT = -1
NOTES = 128
MOST_VOICES = 15  # a MIDI file has 16 channels, and one of them is for drums
MOST_STEPS = 10_000_000  # of a piece that tokens say
VOICES = "abcdefghijklmno"  # a letter for each; w is for waiting and x for silence

Piece = NDArray[np.int16]


def read_piece(X: Any, name: str = "the piece", silence: Sequence[int] = (SILENT, 0)) -> Piece:
    """A piece (T, V) in the forms that people give it.

    Arguments:
        X: steps by voices of whole numbers: an array, lists, or a table; (T,) is one voice.
        name: for the messages.
        silence: the numbers that mean silence; 0 is among them, as no ear hears it (8 Hz) and files use it so.

    Raises ``DataError`` for other shapes, no steps, more than 15 voices, and numbers that are no MIDI notes.

    >>> read_piece([[60, 64], [60, -1]]).tolist()
    [[60, 64], [60, -1]]
    """
    try:
        array = np.asarray(X)
        numbers = array.astype(np.float64) if array.dtype.kind in "fiuO" else None
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None or numbers.ndim not in (1, 2) or not numbers.size:
        raise DataError(
            f"a piece of steps by voices (T, V) of MIDI numbers is expected, but {name} is none; give a row of notes "
            "for each step, -1 for silence."
        )
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    if numbers.shape[1] > MOST_VOICES:
        raise DataError(
            f"at most {MOST_VOICES} voices are expected, but {name} has {numbers.shape[1]} columns; give steps as rows."
        )
    quiet = np.isin(numbers, list(silence))
    wrong = ~quiet & ~((numbers >= 0) & (numbers < NOTES) & (numbers == np.floor(numbers)))
    if wrong.any():
        step, voice = (int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"MIDI numbers from 0 to 127, or -1 for silence, are expected, but voice {voice} of {name} at step {step} "
            f"(counted from 0) is {numbers[step, voice]:g}; mend it."
        )
    return np.where(quiet, SILENT, numbers).astype(np.int16)


def read_pieces(X: Any, voices: int | None = None, silence: Sequence[int] = (SILENT, 0)) -> list[Piece]:
    """Several pieces with the same number of voices (``None``: that of the first); see ``read_piece``.

    Raises ``DataError``, naming the piece, for what is none and for other numbers of voices.

    >>> [piece.shape for piece in read_pieces([[[60, 64]], [[62, 65], [62, -1]]])]
    [(1, 2), (2, 2)]
    """
    unsized = not hasattr(X, "__len__") or getattr(X, "ndim", 1) == 0
    if isinstance(X, str | bytes | dict) or unsized or not len(X):
        raise DataError(
            f"a list of pieces is expected, got {type(X).__name__} without any; give [X] for a single one."
        )
    pieces = [read_piece(piece, f"piece {i} (counted from 0)", silence) for i, piece in enumerate(X)]
    wanted = voices or pieces[0].shape[1]
    for i, piece in enumerate(pieces):
        if piece.shape[1] != wanted:
            raise DataError(
                f"pieces of {wanted} voices are expected, but piece {i} (counted from 0) has {piece.shape[1]}; add "
                "voices of -1 or leave it out."
            )
    return pieces


@dataclass(frozen=True)
class Events:
    """Pieces as tokens of what changes: a voice begins a note or falls silent, or some steps pass.

    Token 0 ends a piece, 1 .. ``longest`` let so many steps pass, and then each voice has one token for silence and one
    for every note from ``low`` to ``high``. Of a step the changes come first, in the order of the voices, then the time
    until the next change. ``decode(encode(piece))`` is the piece; and any tokens mean some piece, so that what a model
    makes up can be heard: a voice that is told two notes sings the last one, and what follows no time is not heard.
    The events of Oore et al. 2018 (arXiv:1808.03715), in steps and for voices of one note each.

    Arguments:
        voices: V.
        low: the lowest note.
        high: the highest note.
        longest: steps that one token may let pass.

    Raises ``ParameterError`` for numbers out of range.

    >>> events = Events(voices=2, low=60, high=72)
    >>> tokens = events.encode(read_piece([[60, 64], [60, 64], [62, -1]]))
    >>> [events.name(token) for token in tokens]
    ['a60', 'b64', 'w2', 'a62', 'bx', 'w1', 'end']
    """

    voices: int = 4
    low: int = 0
    high: int = NOTES - 1
    longest: int = 16

    def __post_init__(self) -> None:
        number("Events' voices", self.voices, Between(1, MOST_VOICES), whole=True)
        number("Events' low", self.low, Between(0, NOTES - 1), whole=True)
        number("Events' high", self.high, Between(self.low, NOTES - 1), whole=True)
        number("Events' longest", self.longest, AtLeast(1), whole=True)

    @classmethod
    def fitting(cls, pieces: Sequence[Piece], longest: int = 16) -> "Events":
        """The tokens that just hold these pieces."""
        sung = np.concatenate([piece[piece != SILENT] for piece in pieces])
        low, high = (int(sung.min()), int(sung.max())) if len(sung) else (0, NOTES - 1)
        return cls(pieces[0].shape[1], low, high, longest)

    @property
    def size(self) -> int:
        """The number of different tokens."""
        return 1 + self.longest + self.voices * self._each

    @property
    def _each(self) -> int:
        return self.high - self.low + 2

    def encode(self, piece: Piece) -> NDArray[np.int64]:
        """A piece (T, V) as tokens (m,), the end among them.

        Raises ``DataError`` for another number of voices, and for notes that have no token.
        """
        if piece.ndim != 2 or piece.shape[1] != self.voices:
            raise DataError(f"a piece (T, {self.voices}) is expected, got {piece.shape}; give all voices.")
        outside = (piece != SILENT) & ((piece < self.low) | (piece > self.high))
        if outside.any():
            raise DataError(
                f"notes from {self.low} to {self.high} are expected, got {piece[outside][0]}; move the piece or take a "
                "wider range."
            )
        codes = np.where(piece == SILENT, 0, piece.astype(np.int64) - self.low + 1)
        before = np.concatenate([np.zeros((1, self.voices), np.int64), codes[:-1]])
        changed = codes != before
        moments = np.flatnonzero(changed.any(axis=1) | (np.arange(len(piece)) == 0))
        tokens: list[int] = []
        for start, end in zip(moments, [*moments[1:], len(piece)]):
            (who,) = np.nonzero(changed[start])
            tokens.extend(1 + self.longest + who * self._each + codes[start, who])
            full, rest = divmod(int(end - start), self.longest)
            tokens.extend([self.longest] * full + [rest] * (rest > 0))
        return np.array([*tokens, 0], np.int64)

    def decode(self, tokens: Any) -> Piece:
        """The piece (T, V) that tokens say, up to the first end.

        Raises ``DataError`` for tokens that are none, or more than ten million steps.
        """
        given = np.asarray(tokens)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise DataError(
                f"tokens (m,) of whole numbers are expected, got {given.dtype} of shape {given.shape}."
            )
        if given.size and not 0 <= given.min() <= given.max() < self.size:
            bad = given[(given < 0) | (given >= self.size)][0]
            raise DataError(
                f"tokens from 0 to {self.size - 1} are expected, got {bad}; take those of this vocabulary."
            )
        now, steps, lengths = np.full(self.voices, SILENT, np.int16), [], []
        for token in given.tolist():
            if token == 0:
                break
            if token <= self.longest:
                steps.append(now.copy())
                lengths.append(token)
            else:
                voice, code = divmod(token - 1 - self.longest, self._each)
                now[voice] = code - 1 + self.low if code else SILENT
        if sum(lengths) > MOST_STEPS:
            raise DataError(
                f"a piece of at most {MOST_STEPS:,} steps is expected, got {sum(lengths):,}; cut the tokens."
            )
        return np.repeat(np.array(steps, np.int16).reshape(-1, self.voices), lengths, axis=0)

    def name(self, token: int) -> str:
        """What a token says, as a word: a letter for the voice and its note or x, or w and the steps that pass."""
        if token <= self.longest:
            return f"w{token}" if token else "end"
        voice, code = divmod(token - 1 - self.longest, self._each)
        return f"{VOICES[voice]}{code - 1 + self.low if code else 'x'}"

    def to_text(self, piece: Piece) -> str:
        """A piece as a text of words, for ``LanguageModel(tokens="words")``; its end is the text's.

        >>> Events(voices=2).to_text(read_piece([[60, 64], [60, 64], [62, -1]]))
        'a60 b64 w2 a62 bx w1'
        """
        return " ".join(self.name(token) for token in self.encode(piece)[:-1].tolist())

    def from_text(self, text: str) -> Piece:
        """The piece that words say; raises ``DataError`` for others than those of ``name``.

        >>> Events(voices=2).from_text("a60 b64 w2 bx w1").tolist()
        [[60, 64], [60, 64], [60, -1]]
        """
        known = {self.name(token): token for token in range(self.size)}
        words = text.split()
        for word in words:
            if word not in known:
                raise DataError(
                    f"words such as {self.name(1)!r} and {self.name(self.size - 1)!r} are expected, got {word[:40]!r}; "
                    "take the texts of these Events."
                )
        return self.decode(np.array([known[word] for word in words], np.int64))


def transposed(pieces: Sequence[Piece], most: int = 6) -> list[Piece]:
    """Each piece, and its copies up to ``most`` semitones down and up in which each voice keeps to its range.

    A voice's range is that from its lowest to its highest note in all pieces; so a model learns every key from what
    stands in any, and no voice what it never sings.

    Raises ``ParameterError`` for numbers out of range.

    >>> [piece.tolist() for piece in transposed([read_piece([60, 62]), read_piece([61, 63])])]
    [[[60], [62]], [[61], [63]], [[60], [62]], [[61], [63]]]
    """
    number("transposed's most", most, Between(0, NOTES - 1), whole=True)
    whole = np.concatenate(pieces).astype(np.int16)
    low, high = np.where(whole == SILENT, NOTES, whole).min(0), whole.max(0)
    found = []
    for piece in pieces:
        sung = piece != SILENT
        for shift in range(-most, most + 1) if sung.any() else [0]:
            moved = np.where(sung, piece + shift, SILENT).astype(np.int16)
            if (~sung | ((moved >= low) & (moved <= high))).all():
                found.append(moved)
    return found


def piano_roll(piece: Piece) -> NDArray[np.uint8]:
    """A piece (T, V) as a picture (128, T): 1 + the number of the voice that sounds, 0 where none does.

    Where several sing one note the first of them is drawn.

    >>> piano_roll(read_piece([[60, 60], [-1, 64]]))[[60, 64]].tolist()
    [[1, 0], [0, 2]]
    """
    roll = np.zeros((NOTES, len(piece)), np.uint8)
    for voice in reversed(range(piece.shape[1])):
        (steps,) = np.nonzero(piece[:, voice] != SILENT)
        roll[piece[steps, voice], steps] = voice + 1
    return roll
