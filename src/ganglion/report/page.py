"""One offline HTML page from one result."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ganglion.base.errors import GanglionError, unknown_name
from ganglion.plot.text import clean
from ganglion.report import sections, words
from ganglion.report.inputs import MAIN, ReportInput
from ganglion.report.verdict import bar_title, bars, finding_view, headline, verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The browser itself refuses scripts and every load from outside, whatever stands in the data."""


def render(result: ReportInput) -> str:
    """The whole report as the text of one HTML file without scripts and without anything to load.

    Names and cells of the data are only ever text: the template escapes everything, control characters are
    dropped, figures keep an allow-list of shapes, and the page's own policy forbids scripts and loads.

    Arguments: ``result`` what is known of the run; parts without content are left out of the page.
    Raises ``GanglionError`` for a family or task that has no page.

    >>> from ganglion.base.record import TrainingRecord
    >>> page = render(ReportInput(title="<b>", target="y", task="binary", record=TrainingRecord()))
    >>> "<b>" in page, page.startswith("<!doctype html>")
    (False, True)
    """
    if result.task not in MAIN:
        raise GanglionError(f"task must be one of {', '.join(MAIN)}, got {result.task!r}.")
    part = family_part(result.family)
    findings = [finding_view(one) for one in result.findings]
    template = _environment().get_template(part.TEMPLATE)
    return template.render(
        result=result,
        policy=POLICY,
        headline=headline(result),
        verdict=verdict(result, findings),
        findings=findings,
        bars=bars(result),
        bar_title=bar_title(result),
        **part.context(result),
    )


def family_part(family: str) -> ModuleType:
    """The file of ``report/sections`` with the family's name; it has ``TEMPLATE`` and ``context(result)``.

    >>> family_part("table").TEMPLATE
    'table.html'
    """
    known = [module.name for module in iter_modules(sections.__path__)]
    if family not in known:
        raise GanglionError(unknown_name("report family", family, known))
    return import_module(f"{sections.__name__}.{family}")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ganglion.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters |= {
        "cell": words.cell,
        "percent": words.percent,
        "score": words.score,
        "sure": words.sure,
        "short": lambda value, width=60: words.cell(clean(value), width),
    }
    return environment


def _printable(value: Any) -> Any:
    """What an expression prints: nothing for ``None``, and no control characters but line breaks."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(clean(line) for line in value.split("\n"))
    return value
