"""The base of all estimators: what is declared, checked, described, saved."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ganglion.base.errors import DataError
from ganglion.base.fields import Fields, check_fields
from ganglion.diagnose.finding import Finding


class Estimator(Fields, BaseEstimator):
    """Base of all estimators: hyper-parameters are fields, learned things end in ``_``."""

    def _check(self) -> None:
        check_fields(self)

    def _need(self, y: Any, what: str = "y") -> None:
        """Refuse a target that was not given; raises ``DataError``."""
        if y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; give {what}."
            )

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The rows of the training history, one per epoch."""
        return self.record_.history

    def summary(self) -> str:
        """What was learned and how it went, in a few lines."""
        check_is_fitted(self)
        record = self.record_
        lines = [f"{type(self).__name__}: {record.data.get('n_parameters', 0):,} parameters"]
        if record.history:
            best = f", best {self.record_.best_epoch}" if record.best_epoch else ""
            lines.append(
                f"{len(record.history)} epochs{best}, {record.seconds:.1f} s, ended by {record.stopped}"
            )
        for part, scores in record.scores.items():
            lines.append(f"{part}: " + ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))
        lines += [f"{f.severity}: {f.name}. {f.meaning}" for f in self.diagnosis_]
        return "\n".join(lines)

    def remedy(self, finding: Finding) -> dict[str, Any]:
        """Parameters for ``set_params`` that follow a finding's remedy; empty if none can."""
        from ganglion.estimators.remedies import parameters_for

        return parameters_for(self, finding)

    def _learned(self) -> dict[str, Any]:
        """The learned attributes that a file must carry besides weights, columns and record."""
        elsewhere = {"module_", "preprocessor_", "record_", "diagnosis_"}
        return {k: v for k, v in vars(self).items() if k.endswith("_") and k not in elsewhere}

    def _weights(self) -> dict[str, Any]:
        """The arrays of the network by name."""
        raise NotImplementedError

    def _load_weights(self, weights: dict[str, np.ndarray]) -> None:
        """The network again, from its arrays; shapes are checked against what was learned."""
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator with its preprocessing as one ``*.ganglion`` file, atomically.

        Raises ``GanglionError`` if it holds a module that is not registered.
        """
        from ganglion.estimators.persist import save

        return save(self, path)


def plain(value: Any) -> Any:
    """A hyper-parameter as JSON can hold it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else type(value).__name__
