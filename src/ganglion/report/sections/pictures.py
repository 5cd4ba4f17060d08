"""The page of a network that tells pictures apart."""

from collections.abc import Sequence
from typing import Any

from ganglion.plot.pictures import SMALL, as_rgb, data_uri
from ganglion.plot.text import clean, label
from ganglion.report.inputs import Pictures, ReportInput, Shown
from ganglion.report.parts import parts
from ganglion.report.words import score, sure

TEMPLATE = "pictures.html"
REFUSED = 50  # files listed
SIDE = 96  # pixels of a picture in the page


def context(result: ReportInput) -> dict[str, Any]:
    """What the template of this family needs beside the parts that every page has.

    Arguments: ``result`` with ``pictures``; empty parts give empty values, which the template leaves out.
    """
    shown = result.pictures or Pictures()
    return {
        **parts(result),
        "mistakes": [tile(one) for one in shown.mistakes],
        "examples": [tile(one) for one in shown.examples],
        "varied": [row(name, pictures) for name, pictures in shown.augmented],
        "filters": images(shown.filters),
        "maps": [row(name, pictures) for name, pictures in shown.maps],
        "maps_of": None if shown.maps_of is None else tile(shown.maps_of),
        "steady": None if shown.steady is None else steady(*shown.steady),
        "refused": [{"name": clean(name), "why": clean(why)} for name, why in shown.refused[:REFUSED]],
        "shown": shown,
    }


def tile(one: Shown) -> dict[str, Any]:
    """A picture with what is true, what was said, and how surely."""
    right = one.true == one.predicted
    said = f"said {label(one.predicted, 40)}, {sure(one.confidence)} sure"
    words = {"true": label(one.true, 40), "predicted": label(one.predicted, 40), "sure": sure(one.confidence)}
    alt = f"{words['true']}, {said}"
    return {**image(one.pixels), **words, "name": clean(one.name), "right": right, "alt": alt}


def steady(share: float, n: int) -> str:
    """How often answers stay when pictures move by a pixel, as a sentence.

    >>> steady(0.975, 200)
    'Moved by one pixel up, down, left or right, 200 test pictures keep their answer in 97.5% of 800 trials.'
    """
    what = "1 test picture keeps its answer" if n == 1 else f"{n:,} test pictures keep their answer"
    return f"Moved by one pixel up, down, left or right, {what} in {score(share, 'accuracy')} of {4 * n:,} trials."


def row(name: Any, pictures: Sequence[Any]) -> dict[str, Any]:
    """A row of pictures with a name."""
    return {"name": label(name, 40), "images": images(pictures)}


def images(pictures: Sequence[Any]) -> list[dict[str, Any]]:
    """Pictures as the page holds them."""
    return [image(one) for one in pictures]


def image(pixels: Any) -> dict[str, Any]:
    """A picture as PNG, and whether its pixels are to stay squares."""
    return {"src": data_uri(pixels, SIDE), "small": max(as_rgb(pixels).shape[:2]) < SMALL}
