"""Rules about units: dead ones that are always 0, saturated ones that are always at a bound."""

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.view import LARGE_STEP, Row, View, number

# Half of a layer lost is a layer of half the width; sound networks have under a tenth.
DEAD = 0.5
SATURATED = 0.5


def worst(rows: list[Row], key: str) -> tuple[float, str]:
    """The largest share of a moment and its layer; (0, "") where none was watched."""
    shares = [(number(row.get(key)) or 0.0, str(row.get("layer", ""))) for row in rows]
    return max(shares, default=(0.0, ""))


def saturated_share(rows: list[Row]) -> tuple[float, str]:
    """The largest share of saturated outputs in a hidden layer, and the layer."""
    return worst(rows, "saturated")


def dead_from_start(view: View) -> Finding | None:
    """Units that are 0 for every example before training changed anything."""
    return dead_units(view) if worst(view.first_look, "dead")[0] >= DEAD else None


def dead_units(view: View) -> Finding | None:
    """A layer of which at least half the units are 0 for every example."""
    if is_at_zero(view) or view.few_watched:
        return None
    start, _ = worst(view.first_look, "dead")
    end, layer = worst(view.last_look, "dead")
    if end < DEAD:
        return None
    rows = view.last_look
    all_of_it = end > 0.99
    from_start = start >= DEAD
    if not from_start and not all_of_it and not view.unfinished:
        return None  # a fit that is good without them does not need them
    return Finding(
        "dead_units",
        "error" if all_of_it else "warning",
        where=layer,
        evidence={
            "dead_at_end": end,
            "dead_at_start": start,
            "threshold": DEAD,
            "layers_concerned": sum((number(r.get("dead")) or 0.0) >= DEAD for r in rows),
        },
        meaning=(
            f"{end:.0%} of the units of layer {layer!r} give 0 for every example and get no gradient"
            + ("; they were so from the start." if from_start else "; they died during training.")
        ),
        remedy=(
            Remedy(
                "reset_init",
                None,
                "Start with biases of 0 and the usual weights, so that units are on for half of the rows.",
            )
            if from_start
            else Remedy("change_activation", "leaky_relu", "Use leaky ReLU, which has a slope on both sides.")
        ),
        lab="dead-relu",
    )


def saturated_from_start(view: View) -> Finding | None:
    """Bounded units that sit at their bounds before training changed anything: after a first step that is small."""
    share, layer = saturated_share(view.first_look)
    thrown = max(view.update_ratios[:1], default=0.0) >= LARGE_STEP
    return _saturated(view, share, layer, True) if share >= SATURATED and not thrown else None


def saturated_units(view: View) -> Finding | None:
    """Bounded units that were driven to their bounds before much was learned; a good fit may saturate too."""
    share, layer = saturated_share(view.last_look)
    return _saturated(view, share, layer, False) if share >= SATURATED and view.unfinished else None


def _saturated(view: View, share: float, layer: str, from_start: bool) -> Finding:
    return Finding(
        "saturated_units",
        "warning",
        where=layer,
        evidence={
            "saturated": share,
            "threshold": SATURATED,
            "saturated_at_start": saturated_share(view.first_look)[0],
            "saturated_at_end": saturated_share(view.last_look)[0],
        },
        meaning=(
            f"{share:.0%} of the outputs of layer {layer!r} are at a bound of the activation, with slope 0"
            + (
                "; they were so from the start."
                if from_start
                else "; they were driven there during training."
            )
        ),
        remedy=(
            Remedy(
                "reset_init",
                None,
                "Start with the usual weights (Glorot), so that sums stay within the steep part.",
            )
            if from_start
            else Remedy("change_activation", "relu", "Use ReLU, which has no upper bound.")
        ),
        lab="saturation",
    )


def is_at_zero(view: View) -> bool:
    """Whether the weights of the watched layers are all 0, so that units are alike rather than dead."""
    norms = [number(row.get("weight_norm")) for row in view.first_look]
    return bool(norms) and all(n is not None and n < 1e-12 for n in norms[:-1] or norms)
