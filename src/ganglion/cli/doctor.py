"""``ganglion doctor``: versions, devices, and a network that really trains."""

import os
import platform
import time
from typing import Any

from ganglion.cli.out import say, say_json

SECONDS = 3.0


def run_doctor(*, as_json: bool) -> None:
    """Print what is here and whether training works."""
    facts = {**versions(), **devices()}
    if not as_json:
        for name, value in facts.items():
            say(f"{name:<14} {value}")
    test = smoke_test()
    if as_json:
        say_json({**facts, "smoke_test": test})
        return
    verdict = "well" if test["ok"] else "badly: please report this with the lines above"
    done = f"{test['steps']:,} steps in {test['seconds']:.1f} s, accuracy {test['accuracy']:.2f}"
    say(f"{'training':<14} {done}: {verdict}")


def versions() -> dict[str, str]:
    """Versions of Ganglion and of what it stands on."""
    from importlib.metadata import PackageNotFoundError, version

    from ganglion.base.version import VERSION

    found = {"ganglion": VERSION, "python": platform.python_version()}
    for name in ("torch", "numpy", "scikit-learn", "pyarrow", "narwhals", "safetensors", "pandas", "polars"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def devices() -> dict[str, Any]:
    """What can compute here."""
    import torch

    found = {"processor": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, "
             f"{torch.backends.cpu.get_cpu_capability()}"}  # fmt: skip
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        found["accelerator"] = ", ".join(names)
    else:
        found["accelerator"] = str(torch.accelerator.current_accelerator() or "none")
    return found


def smoke_test() -> dict[str, Any]:
    """Two interleaved half moons, learned for about three seconds."""
    from sklearn.datasets import make_moons

    from ganglion.estimators.mlp import MLPClassifier

    X, y = make_moons(2000, noise=0.1, random_state=0)
    started = time.monotonic()
    model = MLPClassifier(max_epochs=10_000, time_limit=SECONDS, early_stopping=False, schedule="constant")
    model.fit(X, y)
    accuracy = model.score(X, y)
    steps = model.history_[-1]["step"]
    return {
        "ok": bool(accuracy > 0.97),
        "accuracy": accuracy,
        "steps": steps,
        "seconds": time.monotonic() - started,
    }
