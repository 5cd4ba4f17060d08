"""A figure as inline SVG: real text, colours of the page's theme, and nothing but shapes in it."""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganglion.plot.style import ROLES
from ganglion.plot.text import clean

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
TAGS = {"svg", "g", "path", "rect", "line", "circle", "text", "tspan", "use", "defs", "clipPath"}
ATTRIBUTES = {
    "id", "d", "x", "y", "x1", "y1", "x2", "y2", "r", "cx", "cy", "width", "height", "transform", "style",
    "viewBox", "clip-path", HREF,
}  # fmt: skip
LOCAL = re.compile(r"url\(#(\w+)\)")
COLOURS = re.compile("|".join(ROLES), re.IGNORECASE)


def to_svg(drawn: Axes | Figure, title: str, description: str = "", *, name: str = "figure") -> str:
    """The figure as one ``<svg>`` element that can stand in a page.

    Texts stay texts (they can be read aloud, found and copied) in the page's font; the colours of the house
    style become CSS variables with themselves as the fall-back; every tag, attribute and reference that a
    figure does not need is dropped; ids begin with ``name``, which must differ between figures of a page.

    Arguments: ``drawn`` axes or figure; ``title`` and ``description`` for people who do not see it.

    >>> from ganglion.plot import plot_scores
    >>> to_svg(plot_scores({"network": 0.9}), "Scores").startswith('<svg')
    True
    """
    figure = drawn.figure if isinstance(drawn, Axes) else drawn
    root = _parsed(figure)
    _prune(root)
    _rename(root, re.sub(r"\W", "-", name))
    root.attrib.pop("height", None)
    width = float(root.attrib.pop("width", "0pt").removesuffix("pt"))
    root.set("style", f"max-width: {width * 4 / 3:.0f}px")
    root.set("role", "img")
    root.set("aria-label", clean(f"{title}. {description}" if description else title))
    text = ElementTree.tostring(root, encoding="unicode")
    return COLOURS.sub(lambda found: f"var({ROLES[found[0].lower()]}, {found[0].lower()})", text)


def _parsed(figure: Figure) -> ElementTree.Element:
    """The figure as matplotlib writes it, parsed; without the document type, so no entity can be declared."""
    buffer = io.StringIO()
    style = {"svg.fonttype": "none", "svg.hashsalt": "ganglion", "font.family": ["DejaVu Sans"]}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # A sign that the measuring font lacks is still drawn by the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.fromstring(text[text.index("<svg") :])  # noqa: S314 - our own text, no document type


def _prune(element: ElementTree.Element) -> None:
    for child in list(element):
        if child.tag.removeprefix(f"{{{SVG}}}") not in TAGS:
            element.remove(child)
        else:
            _prune(child)
    for attribute in list(element.attrib):
        value = element.attrib[attribute]
        foreign = attribute == HREF and not value.startswith("#")
        if attribute not in ATTRIBUTES or foreign or "url(" in LOCAL.sub("", value):
            del element.attrib[attribute]
    if element.tag == f"{{{SVG}}}text":
        _plain_font(element)


def _plain_font(text: ElementTree.Element) -> None:
    """The page's font instead of the one that matplotlib measured with."""
    style = text.get("style", "")
    size = re.search(r"([\d.]+)px", style)
    bold = re.search(r"font(?:-weight)?:[^;]*\b(bold|700)\b", style)
    kept = [part for part in style.split(";") if part.strip() and not part.strip().startswith("font")]
    kept.append(f" font-size: {size[1] if size else 10}px")
    text.set("style", ";".join(kept + [" font-weight: 600"] * bool(bold)).strip())


def _rename(root: ElementTree.Element, name: str) -> None:
    """Ids that are referred to begin with ``name``; all the others go."""
    used = set()
    for element in root.iter():
        for attribute, value in element.attrib.items():
            used |= {value[1:]} if attribute == HREF else set(LOCAL.findall(value))
    for element in root.iter():
        if element.get("id") in used:
            element.set("id", f"{name}-{element.get('id')}")
        else:
            element.attrib.pop("id", None)
        for attribute, value in element.attrib.items():
            if attribute == HREF:
                element.set(attribute, f"#{name}-{value[1:]}")
            else:
                element.set(attribute, LOCAL.sub(lambda found: f"url(#{name}-{found[1]})", value))
