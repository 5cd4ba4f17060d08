"""The card inside a model file: what the network was trained on and how good it is."""

from pathlib import Path
from typing import Any

from ganglion.estimators.persist import save


def save_result(result: Any, path: Any) -> Path:
    """Write the network and its card to ``path`` atomically."""
    return save(result.estimator, path, card=card_of(result))


def card_of(result: Any) -> dict[str, Any]:
    """Where the network comes from, how it did, and what it stands beside."""
    job = result.job
    return {
        "target": job.targets,
        "task": job.task.kind,
        "plan": result.plan,
        "metric": result.metric,
        "models": [
            {"name": m.name, "scores": dict(m.scores), "interval": m.interval, "seconds": m.seconds}
            for m in result.models
        ],
        **job.card(result.estimator),
        "data_hash": job.data_hash,
        "source": Path(result.source).name,
        "settings": {k: plain(v) for k, v in result.settings.items()},
        "rows": {"train": len(result.train), "test": len(result.test)},
    }


def plain(value: Any) -> Any:
    """A setting as JSON holds it."""
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
