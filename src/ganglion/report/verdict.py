"""The first screen: how good, in one plain sentence, and whether to rely on it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ganglion.plot.text import label
from ganglion.report.inputs import ModelScore, ReportInput
from ganglion.report.words import (
    LOWER_IS_BETTER,
    PLURAL,
    capital,
    cell,
    metric,
    model,
    out_of,
    percent,
    score,
    the,
)

SERIOUS = {"error", "critical"}
WARNING = {"warning"}
FINE = {"ok"}


@dataclass
class FindingView:
    """A finding as the page shows it."""

    name: str
    level: str
    """``"poor"``, ``"caution"``, ``"note"`` or ``"good"``: each has a colour and a mark."""
    where: str = ""
    meaning: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    remedy: str = ""


@dataclass
class Verdict:
    """The badge and the sentence under it."""

    level: str
    badge: str
    reason: str


def finding_view(finding: Any) -> FindingView:
    """The parts of a finding, from an object or a dictionary.

    >>> finding_view({"name": "dead_units", "severity": "warning", "evidence": {"share": 0.5}}).level
    'caution'
    """
    take = finding.get if isinstance(finding, dict) else lambda key, other=None: getattr(finding, key, other)
    name, severity = str(take("name") or ""), str(take("severity") or "").lower()
    remedy = take("remedy")
    sentence = remedy.get("sentence") if isinstance(remedy, dict) else getattr(remedy, "sentence", remedy)
    evidence = take("evidence") or {}
    if not isinstance(evidence, dict):
        evidence = {"evidence": evidence}
    return FindingView(
        name=name.replace("_", " "),
        level=_level(name, severity),
        where=str(take("where") or ""),
        meaning=str(take("meaning") or ""),
        evidence={str(key).replace("_", " "): cell(value) for key, value in evidence.items()},
        remedy=str(sentence or ""),
    )


def _level(name: str, severity: str) -> str:
    if severity in SERIOUS:
        return "poor"
    if severity in WARNING:
        return "caution"
    return "good" if severity in FINE or name == "healthy" else "note"


def verdict(result: ReportInput, findings: list[FindingView]) -> Verdict:
    """Whether to rely on the network: it must beat the guess, clearly lose to nobody and be found healthy."""
    network = result.models[0] if result.models else None
    others = [one for one in result.models[1:] if result.main_metric in one.scores]
    if network and any(one.name == "dummy" and not _ahead(network, one, result) for one in others):
        return Verdict("poor", "Not useful yet", "It is no better than a simple guess.")
    poor = next((one for one in findings if one.level == "poor"), None)
    if poor:
        return Verdict("poor", "Do not rely on it yet", f"The diagnosis found: {poor.name}.")
    better = [one for one in others if network and _ahead(one, network, result)]
    if better:
        names = " and ".join(the(one.name).removeprefix("the ") for one in better)
        verb = "is" if len(better) == 1 and better[0].name not in PLURAL else "are"
        clearly = "clearly ahead" if all(_measured(one, network) for one in better) else "ahead"
        return Verdict("caution", "Works, but a simpler model is better", f"The {names} {verb} {clearly}.")
    watch = next((one for one in findings if one.level == "caution"), None)
    if watch:
        return Verdict("caution", "Works, with something to look at", f"The diagnosis found: {watch.name}.")
    if network is None:
        return Verdict("note", "Not scored", f"There were no {result.unit} to measure it on.")
    if not others:
        return Verdict("note", "Not compared", "There was no simpler model to compare it with.")
    healthy = ", and training was healthy" if findings else ""
    measured = all(_measured(one, network) for one in others)
    better_than = "clearly better" if measured else f"better on the {result.split}"
    return Verdict("good", "Good to use", f"No simpler model is {better_than}{healthy}.")


def _ahead(first: Any, second: Any, result: ReportInput) -> bool:
    """Whether ``first`` is better in the main score: by more than chance where that was measured."""
    name = result.main_metric
    a, b = first.scores.get(name), second.scores.get(name)
    if a is None or b is None:
        return False
    if second.behind is not None:
        return bool(second.behind[0] > 0)
    if first.behind is not None:
        return bool(first.behind[1] < 0)
    sign = -1 if name in LOWER_IS_BETTER else 1
    margin = abs(b - second.interval[0 if sign < 0 else 1]) if second.interval else 0.0
    return bool(sign * (a - b) > margin)


def _measured(first: Any, second: Any) -> bool:
    """Whether ``_ahead`` knows how much is chance; else it only compares the two scores."""
    return any(known is not None for known in (first.behind, second.behind, second.interval))


def against(result: ReportInput) -> list[tuple[str, str]]:
    """How the network stands to each baseline: a level and a sentence each.

    Two scores may differ by luck; only where the interval of the difference leaves 0 out is one called clearly
    better. Without intervals the sentence tells no more than which score is the better one.
    """
    if not result.models:
        return []
    network, found = result.models[0], []
    for one in result.models[1:]:
        name = the(one.name)
        if result.main_metric not in one.scores or result.main_metric not in network.scores:
            continue
        if _ahead(network, one, result):
            clearly = "Clearly better" if _measured(network, one) else "Better"
            found.append(("good", f"{clearly} than {name}"))
        elif _ahead(one, network, result):
            clearly = "Clearly behind" if _measured(one, network) else "Behind"
            found.append(("poor", f"{clearly} {name}"))
        elif _measured(network, one) or _measured(one, network):
            found.append(("note", f"About as good as {name}: the difference may be luck"))
        else:
            found.append(("note", f"As good as {name}"))
    return found


def headline(result: ReportInput) -> list[tuple[str, bool]]:
    """The plain sentence as pieces of text, each with whether it is to stand out."""
    if result.said:
        return list(result.said)
    network = result.models[0] if result.models else None
    if network is None:
        return [("The network was trained; nothing was scored.", False)]
    others = {one.name: one for one in result.models[1:]}
    if result.task == "regression":
        return _about_numbers(result, network, others)
    if result.task in ("binary", "multiclass"):
        return _about_classes(result, network, others)
    return _about_score(result, network)


def _about_classes(result: ReportInput, network: ModelScore, others: dict) -> list[tuple[str, bool]]:
    share = network.scores.get("accuracy")
    if share is None:
        return [("The network was trained; its accuracy was not measured.", False)]
    right, whole = out_of(share, len(result.y_true) if result.y_true is not None else 0)
    pieces = [
        (f"Of {whole:,} {result.unit} it has never seen, the network gets ", False),
        (f"{right} right", True),
        (".", False),
    ]
    dummy = others.get("dummy")
    if dummy and "accuracy" in dummy.scores:
        guess = round(whole * dummy.scores["accuracy"])
        always = _most_frequent(result)
        said = f"Always answering “{always}”" if always else "A simple guess"
        pieces.append((f" {said} would get {guess} right.", False))
        balanced = network.scores.get("balanced_accuracy")
        if dummy.scores["accuracy"] >= 0.7 and balanced is not None:
            pieces.append(
                (f" Counting every class alike, it gets {round(100 * balanced)} of 100 right.", False)
            )
    return pieces


def _about_numbers(result: ReportInput, network: ModelScore, others: dict) -> list[tuple[str, bool]]:
    r2, mae, dummy = network.scores.get("r2"), network.scores.get("mae"), others.get("dummy")
    targets = result.targets
    pieces: list[tuple[str, bool]] = []
    if len(targets) == 1 and mae is not None:
        pieces = [
            (f"On rows it has never seen, the network’s “{label(targets[0], 40)}” is off by ", False),
            (f"{score(mae, 'mae')} on average", True),
            (".", False),
        ]
        if dummy and "mae" in dummy.scores:
            pieces.append(
                (f" Always answering the mean would be off by {score(dummy.scores['mae'], 'mae')}.", False)
            )
    if r2 is not None:
        what = "rows" if len(targets) == 1 else f"rows in its {len(targets)} targets"
        start = " It explains " if pieces else "On rows it has never seen, the network explains "
        pieces += [
            (start, False),
            (percent(r2), len(targets) > 1),
            (f" of the differences between {what}.", False),
        ]
    return pieces or [("The network was trained; its error was not measured.", False)]


def _about_score(result: ReportInput, network: ModelScore) -> list[tuple[str, bool]]:
    """The main score as it is, and the best of the simpler models beside it."""
    name = result.main_metric
    value = network.scores.get(name)
    if value is None:
        return [(f"The network was trained; its {metric(name)} was not measured.", False)]
    if name == "tags":
        right, whole = out_of(value, len(result.y_true) if result.y_true is not None else 0)
        return [
            (f"Of {whole:,} words it has never seen, the network tags ", False),
            (f"{right} right", True),
            (".", False),
        ]
    pieces = [
        (f"On the {result.split} the network has a {metric(name)} of ", False),
        (score(value, name), True),
        (".", False),
    ]
    others = [one for one in result.models[1:] if one.scores.get(name) is not None]
    if others:
        best = (min if name in LOWER_IS_BETTER else max)(others, key=lambda one: one.scores[name])
        had = f" {capital(the(best.name))} {'have' if best.name in PLURAL else 'has'} {score(best.scores[name], name)}."
        pieces.append((had, False))
    return pieces


def _most_frequent(result: ReportInput) -> str:
    """What the dummy says: the most frequent class of the training rows, where the record knows it."""
    counts = result.record.data.get("classes")
    return label(max(counts, key=counts.get), 24) if counts else ""


def bars(result: ReportInput) -> list[dict[str, Any]]:
    """The simplest picture of the comparison: a bar per model, its length the main score."""
    name, rows = _bar_metric(result), []
    values = [one.scores.get(name) for one in result.models]
    top = max([abs(v) for v in values if v is not None and np.isfinite(v)], default=1.0) or 1.0
    scale = top if name in LOWER_IS_BETTER else 1.0
    for place, (one, value) in enumerate(zip(result.models, values)):
        if value is not None and np.isfinite(value):
            length = float(np.clip(value / scale, 0, 1))
            shown = {"name": model(one.name), "value": value, "metric": name}
            rows.append({**shown, "length": 100 * length, "own": place == 0})
    return rows if len(rows) > 1 else []


def _bar_metric(result: ReportInput) -> str:
    if result.task == "regression":
        return "mae" if len(result.targets) == 1 else "r2"
    return "accuracy" if result.task in ("binary", "multiclass") else result.main_metric


def bar_title(result: ReportInput) -> str:
    """What the bars of the first screen show."""
    name = _bar_metric(result)
    said = {"mae": "average error", "r2": "differences explained"}.get(name, metric(name))
    return capital(said) + (" (shorter is better)" if name in LOWER_IS_BETTER else "")
