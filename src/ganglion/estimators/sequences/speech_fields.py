"""What a recogniser of speech may be told: its labels, its ear, its network, and how recordings are varied."""

from typing import Annotated, Literal

from ganglion.base.fields import AtLeast, Between, Fields, Known, Search
from ganglion.data.tokens import TOKENIZERS, tokenizer_named
from ganglion.nn.positions import POSITIONS, positions_named


class SpeechFields(Fields):
    """The hyper-parameters of ``SpeechRecognizer`` beside those of training."""

    tokens: Annotated[
        str, Known("tokens", lambda: list(TOKENIZERS), tokenizer_named), "what texts are cut into: the labels"
    ] = "words"
    rate: Annotated[
        int, Between(1_000, 384_000), "samples a second of arrays; files are brought to it"
    ] = 8_000  # fmt: skip
    bands: Annotated[int, Between(4, 256), "of pitch, evenly spaced on the mel scale"] = 40
    stride: Annotated[Literal[1, 2, 4], "frames of 10 ms that make a step; a label needs one at least"] = 4
    cell: Annotated[
        Literal["rnn", "lstm", "gru", "tcn", "transformer"],
        "what reads: recurrent cells, temporal convolutions, or attention",
    ] = "lstm"
    units: Annotated[
        int, AtLeast(1), Search(16, 512, log=True), "of each layer and direction; a transformer's width"
    ] = 96
    layers: Annotated[int, AtLeast(1), Search(1, 8), "layers that are stacked"] = 2
    bidirectional: Annotated[bool, "whether a step also sees what is behind it"] = True
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    positions: Annotated[
        str, Known("positions", lambda: list(POSITIONS), positions_named), "how a transformer tells places"
    ] = "rotary"
    kernel: Annotated[int, AtLeast(1), "steps that a temporal convolution covers"] = 5
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of what layers hand on that is dropped"
    ] = 0.2
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
