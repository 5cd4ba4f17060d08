"""Parameters and names as a shell takes them."""

from pathlib import Path
from typing import Any

ENDINGS = (
    ".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json",
    ".conllu", ".conll", ".bio", ".iob", ".iob2",
)  # fmt: skip


def flags(parameters: dict[str, Any]) -> str:
    """Parameters as the command takes them.

    >>> flags({"lr": 0.01, "hidden_layer_sizes": (64, 64), "early_stopping": True, "class_weight": "balanced"})
    '--lr 0.01 --hidden-layer-sizes 64,64 --early-stopping --balanced'
    """
    return " ".join(flag(name, value) for name, value in parameters.items())


def flag(name: str, value: Any) -> str:
    """One parameter or option of the main job as the command takes it."""
    own = {"random_state": "seed", "time_column": "time", "heal_first": "heal"}
    word = "--" + own.get(name, name).replace("_", "-")
    if name == "class_weight" and value == "balanced":
        return "--balanced"
    if isinstance(value, bool):
        return word if value else f"--no-{word[2:]}"
    if isinstance(value, tuple | list):
        return f"{word} {quoted(','.join(map(str, value)))}"
    text = f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
    return f"{word} {quoted(text)}"


def quoted(text: str) -> str:
    """A word for a shell."""
    plain = text and all((c.isascii() and c.isalnum()) or c in "._-,/" for c in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"


def stem(path: str) -> str:
    """A file's name without the endings of tables and texts."""
    name = Path(path).name
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name or "model"
