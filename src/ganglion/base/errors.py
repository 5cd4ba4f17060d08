"""What Ganglion raises when an input is wrong: one sentence that says expected, got, do."""

from difflib import get_close_matches

MOST_SHOWN = 40  # names in a message
MOST_LETTERS = 200  # of a name in a message


class GanglionError(ValueError):
    """Anything wrong that the caller can mend; its text is one clear sentence."""


class ParameterError(GanglionError, TypeError):
    """A hyper-parameter is outside what its field allows (a ``TypeError`` too, as scikit-learn has it)."""


class DataError(GanglionError):
    """A table, array or target cannot be used as it is."""


class ModelFileError(GanglionError):
    """A model file or checkpoint is damaged, foreign or newer than this version."""


def unknown_name(kind: str, name: object, known: "list[str] | tuple[str, ...]") -> str:
    """The sentence for a name that is not known, with the nearest one that is."""
    name = f"{name[:MOST_LETTERS]}..." if isinstance(name, str) and len(name) > MOST_LETTERS else name
    near = get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "use one of these."
    shown = known if len(known) <= MOST_SHOWN else get_close_matches(str(name), list(known), n=5, cutoff=0.0)
    which = "known are" if shown is known else f"of {len(known)} the nearest are"
    return f"{kind} {name!r} is not known; {which} {', '.join(map(repr, shown))}: {hint}"
