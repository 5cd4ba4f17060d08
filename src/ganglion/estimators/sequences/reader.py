"""The fields of what reads sequences, and of what texts are cut into."""

from typing import Annotated, Literal

from ganglion.base.fields import AtLeast, Between, Fields, Known, Search
from ganglion.data.tokens import tokenizer_named
from ganglion.nn.positions import POSITIONS, positions_named

READER = ("cell", "units", "layers", "bidirectional", "heads", "positions", "kernel")


def tokens_field(text: str) -> object:
    """The tokenizer of a field's text, or nothing where it is chosen; raises ``ParameterError``."""
    return None if text == "auto" else tokenizer_named(text)


class ReaderFields(Fields):
    """What reads a sequence."""

    cell: Annotated[
        Literal["rnn", "lstm", "gru", "tcn", "transformer"],
        "what reads: recurrent cells, temporal convolutions, or attention",
    ] = "lstm"
    units: Annotated[
        int, AtLeast(1), Search(16, 512, log=True), "of each layer and direction; a transformer's width"
    ] = 64
    layers: Annotated[int, AtLeast(1), Search(1, 8), "layers that are stacked"] = 2
    bidirectional: Annotated[bool, "whether a place also sees what is behind it"] = True
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    positions: Annotated[
        str, Known("positions", lambda: list(POSITIONS), positions_named), "how a transformer tells places"
    ] = "rotary"
    kernel: Annotated[int, AtLeast(1), "places that a temporal convolution covers"] = 5
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of what layers hand on that is dropped"
    ] = 0.1
