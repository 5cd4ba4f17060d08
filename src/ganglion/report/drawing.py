"""A figure as it stands in a page: drawn as SVG, or pixels as a PNG inside the page."""

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from ganglion.plot import to_svg


def drawing(ax: Axes, title: str, caption: str, name: str) -> dict[str, Any]:
    """A figure of the page: its SVG, its heading and how to read it."""
    return {"title": title, "caption": caption, "svg": Markup(to_svg(ax, title, caption, name=name))}  # noqa: S704
