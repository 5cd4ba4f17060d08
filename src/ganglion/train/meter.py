"""The meter: an epoch's means, kept on the device so that no step waits for them."""

from typing import Any

import torch


class Meter:
    """Sums of loss and gradient norm over an epoch, by phase."""

    def __init__(self, device: torch.device) -> None:
        self.on_host = device.type == "cpu"
        self._clear()

    def _clear(self) -> None:
        self.loss: dict[str, Any] = {}
        self.count: dict[str, int] = {}
        self.norm: Any = 0.0
        self.norm_max: Any = 0.0
        self.clipped: Any = 0.0
        self.steps = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was taken in since the last row."""
        return self.steps == 0

    def take(self, phase: str, loss: Any, norm: Any, size: int, bound: float | None) -> tuple[Any, Any]:
        """Take in a step; return its loss and norm as the guard wants them (numbers on the CPU)."""
        if norm.dim():
            norm = norm.max()
        if self.on_host:
            loss, norm = loss.item(), norm.item()
            self.norm_max = norm if norm > self.norm_max else self.norm_max
        else:
            self.norm_max = torch.maximum(norm, torch.as_tensor(self.norm_max, device=norm.device))
        if bound is not None:
            self.clipped = self.clipped + (norm > bound)
        self.loss[phase] = self.loss.get(phase, 0.0) + loss
        self.count[phase] = self.count.get(phase, 0) + size
        self.norm = self.norm + norm
        self.steps += 1
        return loss, norm

    def row(self) -> dict[str, float]:
        """The epoch's means as plain numbers; starts the next epoch."""
        losses = {k: float(v) / self.count[k] for k, v in self.loss.items()}
        first = next(iter(losses.values()))
        row = {
            "loss": first,
            "grad_norm": float(self.norm) / self.steps,
            "grad_norm_max": float(self.norm_max),
        }
        row["clipped"] = float(self.clipped) / self.steps
        if len(losses) > 1:
            row |= {f"loss_{k}": v for k, v in losses.items()}
        self._clear()
        return row

    def dump(self) -> dict[str, Any]:
        """The sums so far, for a checkpoint inside an epoch."""
        loss = {k: float(v) for k, v in self.loss.items()}
        sums = {"norm": float(self.norm), "norm_max": float(self.norm_max), "clipped": float(self.clipped)}
        return {"loss": loss, "count": dict(self.count), "steps": self.steps, **sums}

    def load(self, sums: dict[str, Any]) -> None:
        """Go on from a checkpoint's sums."""
        self._clear()
        for k, v in sums.items():
            setattr(self, k, v)
