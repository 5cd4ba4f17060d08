"""What a recogniser of speech may be told: its labels, its ear, its network, and how recordings are varied."""

from typing import Annotated, Literal

from ganglion.base.fields import AtLeast, Between, Known
from ganglion.data.tokens import TOKENIZERS, tokenizer_named
from ganglion.estimators.sequences.reader import ReaderFields


class SpeechFields(ReaderFields):
    """The hyper-parameters of ``SpeechRecognizer`` beside those of training."""

    units, dropout = 96, 0.2
    tokens: Annotated[
        str, Known("tokens", lambda: list(TOKENIZERS), tokenizer_named), "what texts are cut into: the labels"
    ] = "words"
    rate: Annotated[
        int, Between(1_000, 384_000), "samples a second of arrays; files are brought to it"
    ] = 8_000  # fmt: skip
    bands: Annotated[int, Between(4, 256), "of pitch, evenly spaced on the mel scale"] = 40
    stride: Annotated[Literal[1, 2, 4], "frames of 10 ms that make a step; a label needs one at least"] = 4
    normalise: Annotated[
        Literal["data", "recording"],
        "whose mean is taken from each band: recording's own, for voices and microphones that were not learned",
    ] = "data"
    range_db: Annotated[
        float | None, Between(1, 200), "decibels below a recording's loudest moment that are heard"
    ] = None
    noise: Annotated[
        float, Between(0, 10), "white noise in training at most, as a share of a wave's amplitude"
    ] = 0.2
    shift: Annotated[float, Between(0, 60), "seconds of silence before and behind in training, at most"] = 0.1
    speed: Annotated[
        float, Between(0, 0.5), "share by which waves get faster or slower in training, at most"
    ] = 0.1
    gain: Annotated[
        float, Between(0, 60), "decibels by which they get louder or softer in training, at most"
    ] = 6.0
    mask_bands: Annotated[int, AtLeast(0), "bands that SpecAugment hides together at most"] = 6
    mask_time: Annotated[float, Between(0, 60), "seconds that SpecAugment hides together at most"] = 0.1
    beam: Annotated[int, AtLeast(1), "beginnings of a text that are followed; 1 takes the best path"] = 1
