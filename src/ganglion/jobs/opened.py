"""A model file that is opened: the estimator, and what its card says, taken as mere words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.base.errors import ModelFileError
from ganglion.base.files import read_model

READERS = {
    "TextClassifier": "texts",
    "Translator": "texts",
    "LanguageModel": "texts",
    "MaskedLanguageModel": "texts",
    "TokenTagger": "sentences",
    "Forecaster": "series",
}


@dataclass
class Opened:
    """A model file: the estimator and what its card says."""

    estimator: Any
    card: dict[str, Any]
    path: Path

    @property
    def targets(self) -> list[str]:
        """The columns that it predicts."""
        return self.card.get("target") or ["prediction"]

    @property
    def target(self) -> str:
        """Their names."""
        return ", ".join(self.targets)

    @property
    def classes(self) -> list[Any] | None:
        """The labels, if it predicts classes."""
        return self.estimator.classes_.tolist() if hasattr(self.estimator, "classes_") else None

    @property
    def takes(self) -> str:
        """What it takes: ``"table"``, ``"pictures"``, ``"texts"``, ``"sentences"`` or ``"series"``."""
        if hasattr(self.estimator, "image_shape_"):
            return "pictures"
        return READERS.get(type(self.estimator).__name__, "table")

    @property
    def answers_freely(self) -> bool:
        """Whether it answers with texts, tags or forecasts, and not with a class or numbers for each example."""
        return self.takes in ("sentences", "series") or (self.takes == "texts" and self.classes is None)

    @property
    def texts(self) -> list[str]:
        """The columns that held the texts."""
        return self.card.get("text") or []


def open_model(path: Any) -> Opened:
    """The estimator and the card in a model file; raises ``ModelFileError``."""
    file = read_model(path)  # before anything heavy is imported
    from ganglion.estimators.persist import rebuild

    estimator = rebuild(file, path)
    if not hasattr(estimator, "predict"):
        raise ModelFileError(f"{path} holds a {type(estimator).__name__}, which predicts nothing.")
    return Opened(estimator, sound_card(file.card), Path(path))


def sound_card(card: dict[str, Any]) -> dict[str, Any]:
    """The parts of a file's card that are what they should be; a card decides nothing but words."""

    def is_text(value: Any) -> bool:
        return isinstance(value, str)

    texts = {
        k: v
        for k in ("plan", "metric", "source", "created", "data_hash", "image")
        if is_text(v := card.get(k))
    }
    lists = {k: v for k in ("target", "text") if isinstance(v := card.get(k), list) and all(map(is_text, v))}
    dicts = {k: v for k in ("settings",) if isinstance(v := card.get(k), dict)}
    models = card.get("models")
    network = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    scores = network.get("scores")
    scores = scores if isinstance(scores, dict) else {}
    numbers = {k: float(v) for k, v in scores.items() if isinstance(v, int | float) and abs(v) < 1e300}
    return {**texts, **lists, **dicts, "scores": numbers}
