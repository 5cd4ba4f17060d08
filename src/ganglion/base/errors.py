"""What Ganglion raises when an input is wrong: one sentence that says expected, got, do."""

from difflib import get_close_matches
from importlib import import_module
from types import ModuleType


class GanglionError(ValueError):
    """Anything wrong that the caller can mend; its text is one clear sentence."""


class ParameterError(GanglionError, TypeError):
    """A hyper-parameter is outside what its field allows (a ``TypeError`` too, as scikit-learn has it)."""


class DataError(GanglionError):
    """A table, array or target cannot be used as it is."""


class ModelFileError(GanglionError):
    """A model file or checkpoint is damaged, foreign or newer than this version."""


class NonFiniteError(GanglionError):
    """Training met a loss or gradient that is not a number; the weights are the last good ones."""


def unknown_name(kind: str, name: object, known: "list[str] | tuple[str, ...]") -> str:
    """The sentence for a name that is not known, with the nearest one that is."""
    near = get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "use one of these."
    return f"{kind} {name!r} is not known; known are {', '.join(map(repr, known))}: {hint}"


def extra(module: str, name: str) -> ModuleType:
    """Import an optional library, or say which extra of Ganglion brings it.

    Raises ``ImportError`` naming the command that installs the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this needs {module}, which is not installed: pip install 'ganglion[{name}]'"
        ) from error
