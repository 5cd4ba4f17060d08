"""A figure as it stands in a page: drawn as SVG, or pixels as a PNG inside the page."""

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from ganglion.plot import to_svg

WIDE = 6.0  # inches from which a figure has a row of the page for itself


def drawing(ax: Axes, title: str, caption: str, name: str) -> dict[str, Any]:
    """A figure of the page: its SVG, its heading, how to read it, and whether it is wide."""
    svg = Markup(to_svg(ax, title, caption, name=name))  # noqa: S704
    wide = ax.figure.bbox.width / ax.figure.dpi > WIDE
    return {"title": title, "caption": caption, "svg": svg, "wide": wide}
