"""Ganglion: neural networks that are trained, diagnosed with a remedy, and saved safely.

The public names; each is imported when it is first asked for, so that importing Ganglion costs nothing.
"""

from importlib import import_module
from typing import Any

from ganglion.base.version import VERSION as __version__  # noqa: F401

PUBLIC = {
    "BackboneClassifier": "ganglion.estimators.pictures.backbone",
    "CNNClassifier": "ganglion.estimators.pictures.cnn",
    "CapsuleClassifier": "ganglion.estimators.pictures.capsule",
    "Forecaster": "ganglion.estimators.sequences.forecaster",
    "ImageCaptioner": "ganglion.estimators.pictures.captioner",
    "MLPClassifier": "ganglion.estimators.mlp",
    "MLPRegressor": "ganglion.estimators.mlp",
    "ObjectDetector": "ganglion.estimators.pictures.detector",
    "Perceptron": "ganglion.estimators.perceptron",
    "SequenceClassifier": "ganglion.estimators.sequences.series",
    "SequenceRegressor": "ganglion.estimators.sequences.series",
    "SpeechRecognizer": "ganglion.estimators.sequences.speech",
    "StyleTransfer": "ganglion.estimators.pictures.style",
    "TextClassifier": "ganglion.estimators.sequences.text",
    "LanguageModel": "ganglion.estimators.sequences.language",
    "MaskedLanguageModel": "ganglion.estimators.sequences.masked",
    "TokenTagger": "ganglion.estimators.sequences.tagger",
    "Translator": "ganglion.estimators.sequences.translator",
    "UNetSegmenter": "ganglion.estimators.pictures.unet",
    "ResNetClassifier": "ganglion.estimators.pictures.resnet",
    "load": "ganglion.estimators.persist",
    "fit": "ganglion.jobs.fit",
    "heal": "ganglion.search.heal",
    "trace": "ganglion.estimators.trace",
    "landscape": "ganglion.estimators.landscape",
    "Recorder": "ganglion.train.recorder",
    "register_module": "ganglion.base.registry",
    "TrainingRecord": "ganglion.base.record",
    "GanglionError": "ganglion.base.errors",
}
ROOMS = ("base", "data", "diagnose", "estimators", "evaluate", "jobs", "lab", "metrics", "models", "nn", "objectives",
         "optim", "plot", "report", "search", "train")  # fmt: skip

__all__ = sorted([*PUBLIC, "__version__"])  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in ROOMS:
        return import_module(f"ganglion.{name}")
    if name not in PUBLIC:
        raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
    value = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC, *ROOMS])
