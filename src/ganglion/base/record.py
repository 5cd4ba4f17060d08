"""The record of a training run: everything that a verdict, a figure or a report may look at."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ganglion.base.errors import GanglionError


def watched(row: dict[str, Any]) -> float:
    """What chooses the epoch in a row of the history, lower is better.

    The validation loss at the best temperature where it was taken, the validation loss, or else the loss.

    >>> watched({"loss": 0.3, "val_loss": 0.5})
    0.5
    """
    return next(row[name] for name in ("val_refined", "val_loss", "loss") if name in row)


@dataclass
class TrainingRecord:
    """What happened in one training run, as plain numbers that go through JSON unchanged.

    * ``task``: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``None`` for a loop of your own.
    * ``settings``: the hyper-parameters in force (``lr``, ``batch_size``, ``dropout`` ...).
    * ``plan``: how it was computed (device, threads, precision, fused or autograd, torch version).
    * ``history``: a row per epoch: ``epoch`` (from 1), ``step`` (so far), ``seconds`` (so far), ``lr``,
      ``loss`` (mean over the epoch's examples), ``grad_norm`` (mean over steps, before clipping),
      ``grad_norm_max``, ``clipped`` (share of steps), and with a validation part ``val_loss`` and
      ``val_score`` (accuracy or R^2; higher is better). Several phases add ``loss_<phase>``. Classifiers
      with many validation rows add ``val_refined``, the validation loss at the best ``temperature``.
    * ``layers``: a row per watched moment and layer: ``step``, ``epoch``, ``layer`` (its name in the module),
      ``kind`` (class name), ``index`` (0 = nearest to the input), over all its matrices ``weight_norm``,
      ``grad_norm``, ``update_ratio`` (|update| / |weight|); ``input_mean``, ``input_std`` of what enters the
      layer on the same rows each time and ``input_shift``, how far the mean of its inputs moved since the
      moment before, in standard deviations; and for layers followed by an activation: ``activation``,
      ``mean``, ``std``, ``dead`` (share of units that are 0 for every watched example), ``saturated``
      (share of outputs within 1 % of a bound).
    * ``probes``: readings at a few moments, each with ``step``, ``epoch`` and ``kind``:
      ``"noise"`` with ``noise_scale`` (in examples), ``batch_size``, ``signal`` (|G|^2), ``noise`` (tr Sigma);
      ``"curvature"`` with ``top``, ``bottom`` (extreme eigenvalues of the Hessian), ``condition``, ``lr_top``;
      ``"line"`` with ``at`` (in steps) and ``loss``;
      ``"shift"`` with ``index`` (of the layers) and ``gradient_change``, ``cosine``, ``mean_shift``,
      ``spread_shift``, a number per layer. See ``train.probes``.
    * ``data``: facts of the data as the network saw them: ``n_rows``, ``n_train``, ``n_validation``,
      ``n_columns``, ``n_features``, ``n_parameters``, ``classes`` (label -> count), ``scales`` (column ->
      ``{"mean", "std", "min", "max"}`` of the network's input), ``duplicates`` (share of rows),
      ``single_column_scores`` (column -> score of that column alone, 0.5..1 AUC or 0..1 R^2).
      What simple models tell: ``directions`` (``condition``, ``largest_share``, ``score``; see
      ``diagnose.directions``),
      ``doubtful_labels`` and ``confident_errors`` (``share``, ``rows``, ``all``) or ``gross_errors``
      (``share``, ``rows``); see ``diagnose.doubt``.
    * ``curve``: of a learning curve, a row per size: ``n_train``, ``train_score``, ``val_score``.
    * ``scores``: ``{"train": {...}, "validation": {...}}`` at the kept weights, in evaluation mode; keys
      ``loss``, ``score``, and for classes ``accuracy``, ``balanced_accuracy``.
    * ``baselines``: name (``dummy``, ``linear``, ``kernel``, ``trees``) -> the same score keys on the same
      validation part.
    * ``non_finite``: ``None`` or ``{"epoch", "step", "phase", "layer", "quantity", "cause"}``.
    * ``stopped``: why it ended: ``"epochs"``, ``"early"``, ``"time"``, ``"interrupt"``, ``"non_finite"``.
    """

    task: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    probes: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    non_finite: dict[str, Any] | None = None
    stopped: str = "epochs"
    best_epoch: int | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The record as nested plain containers (for JSON)."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingRecord":
        """The record from ``to_dict``; keys of a later version are left out.

        Raises ``GanglionError`` for content that is not what this class describes.
        """
        known = {f.name for f in fields(cls)}
        record = cls(**{k: v for k, v in values.items() if k in known})
        for name, sound in SOUND.items():
            if not sound(getattr(record, name)):
                raise GanglionError(f"the training record's {name!r} is damaged; train again.")
        return record


def _number(value: Any) -> bool:
    return value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(v) for v in value.values())


def _scores(value: Any) -> bool:
    return isinstance(value, dict) and all(_numbers(v) and None not in v.values() for v in value.values())


def _each(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _flat(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(v) or isinstance(v, str) for v in value.values())


def _layer(value: Any) -> bool:
    words = ("layer", "kind", "activation")
    return isinstance(value, dict) and all(k in words or _number(v) for k, v in value.items())


def _probe(value: Any) -> bool:
    def sound(v: Any) -> bool:
        return all(map(_number, v)) if isinstance(v, list) else _number(v)

    return isinstance(value, dict) and all(
        isinstance(v, str) if k == "kind" else sound(v) for k, v in value.items()
    )


def _facts(value: Any) -> bool:
    tables = {"classes": _numbers, "single_column_scores": _numbers, "scales": _each(_numbers)}
    counts = dict.fromkeys(
        ("duplicates", "n_rows", "n_train", "n_validation", "n_columns", "n_parameters"), _number
    )
    checks = tables | counts
    return isinstance(value, dict) and all(checks[k](v) for k, v in value.items() if k in checks)


SOUND: dict[str, Callable[[Any], bool]] = {
    "task": lambda value: value is None or isinstance(value, str),
    "settings": lambda value: isinstance(value, dict),
    "plan": lambda value: isinstance(value, dict),
    "history": lambda value: isinstance(value, list) and all(map(_numbers, value)),
    "layers": lambda value: isinstance(value, list) and all(map(_layer, value)),
    "probes": lambda value: isinstance(value, list) and all(map(_probe, value)),
    "data": _facts,
    "curve": lambda value: isinstance(value, list) and all(map(_numbers, value)),
    "scores": _scores,
    "baselines": _scores,
    "non_finite": lambda value: value is None or _flat(value),
    "stopped": lambda value: isinstance(value, str),
    "best_epoch": _number,
    "seconds": lambda value: value is not None and _number(value),
}
"""Field -> whether a value can stand there, for records that come from a file."""
