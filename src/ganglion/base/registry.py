"""The closed list of names that a file, a command or a parameter may use for a class.

A name in a model file is looked up here and nowhere else, so a file can choose among these and never make
anything be imported. The parts of Ganglion stand in ``BUILT_IN`` and are imported when they are asked for.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, overload

from ganglion.base.errors import GanglionError, unknown_name

Thing = TypeVar("Thing", bound=Callable[..., Any])

# kind -> name -> "module:attribute". A test proves that each stands where it says.
BUILT_IN: dict[str, dict[str, str]] = {
    "estimator": {
        "BackboneClassifier": "ganglion.estimators.pictures.backbone:BackboneClassifier",
        "CNNClassifier": "ganglion.estimators.pictures.cnn:CNNClassifier",
        "CapsuleClassifier": "ganglion.estimators.pictures.capsule:CapsuleClassifier",
        "Forecaster": "ganglion.estimators.sequences.forecaster:Forecaster",
        "ImageCaptioner": "ganglion.estimators.pictures.captioner:ImageCaptioner",
        "MLPClassifier": "ganglion.estimators.mlp:MLPClassifier",
        "MLPRegressor": "ganglion.estimators.mlp:MLPRegressor",
        "ObjectDetector": "ganglion.estimators.pictures.detector:ObjectDetector",
        "Perceptron": "ganglion.estimators.perceptron:Perceptron",
        "ResNetClassifier": "ganglion.estimators.pictures.resnet:ResNetClassifier",
        "SequenceClassifier": "ganglion.estimators.sequences.series:SequenceClassifier",
        "SequenceRegressor": "ganglion.estimators.sequences.series:SequenceRegressor",
        "SpeechRecognizer": "ganglion.estimators.sequences.speech:SpeechRecognizer",
        "TextClassifier": "ganglion.estimators.sequences.text:TextClassifier",
        "LanguageModel": "ganglion.estimators.sequences.language:LanguageModel",
        "MaskedLanguageModel": "ganglion.estimators.sequences.masked:MaskedLanguageModel",
        "TokenTagger": "ganglion.estimators.sequences.tagger:TokenTagger",
        "Translator": "ganglion.estimators.sequences.translator:Translator",
        "UNetSegmenter": "ganglion.estimators.pictures.unet:UNetSegmenter",
    },
    "module": {},
    "objective": {},
    "hook": {},
    "layer": {},
}

_registered: dict[str, dict[str, Any]] = {kind: {} for kind in BUILT_IN}


def register(kind: str, name: str | None = None) -> Callable[[Thing], Thing]:
    """Put a class or function under a name of ``kind``; used as a decorator, returns the thing unchanged.

    ``name`` is the thing's own name if not given. The same thing again (a reloaded module, a cell run
    twice) takes the place of its former self. Raises ``GanglionError`` for an unknown kind, a name that is
    no identifier, or one that belongs to something else.

    >>> @register("hook")
    ... class CountSteps: ...
    >>> lookup("hook", "CountSteps") is CountSteps
    True
    """
    table = _table(kind)

    def put(thing: Thing) -> Thing:
        key = thing.__name__ if name is None else name
        if not isinstance(key, str) or not key.isidentifier():
            raise GanglionError(f"{key!r} cannot name a {kind}: use letters, digits and underscores")
        owner = BUILT_IN[kind].get(key) or _address(table.get(key, thing))
        if owner != _address(thing):
            raise GanglionError(
                f"the {kind} name {key!r} belongs to {owner}: register {_address(thing)} under another name"
            )
        table[key] = thing
        return thing

    return put


@overload
def register_module(module: Thing, *, name: str | None = None) -> Thing: ...
@overload
def register_module(module: None = None, *, name: str | None = None) -> Callable[[Thing], Thing]: ...
def register_module(module: Thing | None = None, *, name: str | None = None) -> Any:
    """Make your own ``nn.Module`` class known, so that an estimator that uses it can be saved and loaded.

    Call it or use it as a decorator, before saving and again before loading. Raises ``GanglionError`` when
    the name belongs to another class; give ``name=`` then.

    >>> @register_module
    ... class TwoTowers: ...
    >>> name_of("module", TwoTowers)
    'TwoTowers'
    """
    put = register("module", name)
    return put if module is None else put(module)


def lookup(kind: str, name: object) -> Any:
    """The class or function under a name; imports it if it is a part of Ganglion.

    Raises ``GanglionError`` with the nearest known name when there is none.
    """
    table = _table(kind)
    if isinstance(name, str) and name in table:
        return table[name]
    if isinstance(name, str) and name in BUILT_IN[kind]:
        module, _, attribute = BUILT_IN[kind][name].partition(":")
        table[name] = getattr(import_module(module), attribute)
        return table[name]
    if kind == "module" and isinstance(name, str):
        raise GanglionError(
            f"the module {name!r} is not known (known: {', '.join(names(kind)) or 'none'}): "
            "import its class and call ganglion.register_module(TheClass) first"
        )
    raise GanglionError(unknown_name(kind, name, names(kind)))


def names(kind: str) -> list[str]:
    """All names of a kind, in order, without importing anything."""
    return sorted({*BUILT_IN.get(kind, ()), *_table(kind)})


def name_of(kind: str, thing: object) -> str | None:
    """The name under which a thing can be looked up, or ``None``: what a model file may store of it."""
    address = _address(thing)
    built_in = (name for name, where in BUILT_IN.get(kind, {}).items() if where == address)
    own = (name for name, known in _table(kind).items() if known is thing)
    return next(built_in, None) or next(own, None)


def _table(kind: str) -> dict[str, Any]:
    if kind not in _registered:
        raise GanglionError(unknown_name("kind", kind, list(BUILT_IN)))
    return _registered[kind]


def _address(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}:{getattr(thing, '__qualname__', repr(thing))}"
