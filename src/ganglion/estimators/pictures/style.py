"""Neural style transfer: a picture that shows the content of one and the style of another."""

import copy
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError, GanglionError, ParameterError
from ganglion.base.fields import Above, AtLeast, Known, fields_of
from ganglion.base.named import name_in
from ganglion.base.record import TrainingRecord
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.images import read_images
from ganglion.data.pictures import unit
from ganglion.diagnose import diagnose
from ganglion.estimators.base import Estimator, plain
from ganglion.estimators.training import tell
from ganglion.models.style import Features, Picture, convolutions
from ganglion.objectives.style import LEAST, Styling, Weights, gram
from ganglion.optim.optimizers import make_optimizer, optimizer_named, optimizer_names
from ganglion.train.loop import fit
from ganglion.train.progress import Progress
from ganglion.train.run import Run

UPDATES = 10  # of a round, but with L-BFGS, whose update makes several iterations itself


class StyleTransfer(Estimator):
    """Paints the content of one picture in the style of another, as a network's features see them.

    Gatys et al. 2015, arXiv:1508.06576: the picture's pixels are moved until features of a deep layer are those of
    the content and Gram matrices of several layers those of the style (``objectives.style``). Each part of the loss
    counts in units of what white noise costs, so that the weights mean the same for every network and picture. The
    network is one's own or a classifier that was trained here; none is downloaded. Learned: ``picture_``, ``record_``
    with the course of the losses, ``content_layers_`` and ``style_layers_``.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 8, 3, stride=2))
    >>> content, style = np.random.default_rng(0).integers(0, 256, (2, 16, 20, 3), dtype=np.uint8)
    >>> model = StyleTransfer(network=network, max_epochs=3).fit(content, style)
    >>> model.picture_.shape, model.history_[-1]["loss"] < model.history_[0]["loss"]
    ((16, 20, 3), True)
    """

    network: Annotated[
        Any, "an nn.Module that takes pictures (n, c, h, w) in [0, 1], or a fitted classifier of pictures"
    ] = None
    content_layers: Annotated[
        tuple[str, ...] | None,
        "names of the layers that tell the content; None takes the second half of the convolutions",
    ] = None
    style_layers: Annotated[
        tuple[str, ...] | None,
        "names of the layers that tell the style; None takes the first third of the convolutions",
    ] = None
    content_weight: Annotated[
        float, AtLeast(0), "what the content counts, in units of what white noise costs"
    ] = 1.0
    style_weight: Annotated[float, AtLeast(0), "what the style counts, likewise"] = 1.0
    variation_weight: Annotated[
        float, AtLeast(0), "what differences of neighbouring pixels count, likewise"
    ] = 0.1
    start: Annotated[
        Literal["noise", "content"], "what the painting begins with: white noise, or the content"
    ] = "noise"
    image_size: Annotated[
        int | None, AtLeast(1), "longest side that both pictures are scaled to; None keeps the content's"
    ] = None
    optimizer: Annotated[str, Known("optimizer", optimizer_names, optimizer_named), "rule of the update"] = (
        "lbfgs(history=20, iterations=10)"
    )
    lr: Annotated[float, Above(0), "step size; 1 for lbfgs, some hundredths for adam"] = 1.0
    max_epochs: Annotated[int, AtLeast(1), "rounds of ten updates, or of one update of lbfgs"] = 30
    time_limit: Annotated[float | None, Above(0), "seconds of painting at most"] = None
    device: Annotated[str, "where to compute: auto, cpu, cuda, mps ..."] = "auto"
    random_state: Annotated[Any, "seed of the noise; None draws a new one"] = 0
    verbose: Annotated[int, AtLeast(0), "0 is silent, 1 shows progress"] = 0

    def _check(self) -> None:
        super()._check()
        if not isinstance(self.network, nn.Module) and not hasattr(self.network, "module_"):
            raise ParameterError(
                f"StyleTransfer's network must be an nn.Module or a fitted classifier of pictures, got "
                f"{type(self.network).__name__}; train a CNNClassifier and give it."
            )

    def fit(self, content: Any, style: Any) -> "StyleTransfer":
        """Paint ``content`` in the style of ``style``; the result is ``picture_``.

        Both are pictures (h, w) or (h, w, c), uint8 or floats in [0, 1], or file paths; they may differ in size. Raises
        ``DataError`` or ``ParameterError``.
        """
        self._check()
        (pixels, kind), (shown, _) = self._read("content", content), self._read("style", style)
        self._look_at(
            F.interpolate(shown, size=_scaled(shown, max(pixels.shape[2:])), mode="bilinear", antialias=True)
        )
        self.picture_ = self._paint(pixels, kind)
        return self

    def transform(self, content: Any) -> NDArray:
        """Another picture (h, w) or (h, w, c) in the fitted style; ``record_`` is then that of this painting."""
        check_is_fitted(self, ["style_"])
        return self._paint(*self._read("content", content))

    def fit_transform(self, content: Any, style: Any) -> NDArray:
        """``fit``, and the picture."""
        return self.fit(content, style).picture_

    # --- seeing -------------------------------------------------------------------------------------------

    def _read(self, what: str, picture: Any) -> tuple[Tensor, str]:
        """A picture as pixels (1, c, h, w) in [0, 1] on the device, scaled where that is asked for, and its kind."""
        shape = getattr(self.network, "image_shape_", (None,))
        images = read_images([picture], channels=shape[0])
        low, high = images.range
        if images.kind != "uint8" and not 0 <= low <= high <= 1:
            raise DataError(
                f"the {what} should be uint8 or floats from 0 to 1, got numbers from {low:g} to {high:g}; bring them "
                "into that range."
            )
        pixels = unit(images.picture(0)[None]).float().to(pick_device(self.device))
        if self.image_size is not None:
            pixels = F.interpolate(
                pixels, size=_scaled(pixels, self.image_size), mode="bilinear", antialias=True
            )
        return pixels, images.kind

    def _look_at(self, style: Tensor) -> None:
        """Choose the layers and keep the style's Gram matrices, each divided by its places."""
        network = self._network()
        names = convolutions(network)
        if not names and (self.content_layers is None or self.style_layers is None):
            raise ParameterError(
                "the network has no convolution to look at; name content_layers and style_layers, or give another."
            )
        third, half = -(-len(names) // 3), -(-len(names) // 2)
        self.style_layers_ = self.style_layers or tuple(names[:third])
        self.content_layers_ = self.content_layers or tuple(names[half:] or names)
        with torch.no_grad():
            seen = Features(network, self.style_layers_)(style)
        self.style_ = {k: gram(f) / (f.shape[2] * f.shape[3]) for k, f in seen.items()}

    def _network(self) -> nn.Module:
        """A copy of the network on the device; the one that was given stays as it is."""
        network = getattr(self.network, "module_", self.network)
        return copy.deepcopy(network).to(pick_device(self.device))

    # --- painting -----------------------------------------------------------------------------------------

    def _paint(self, pixels: Tensor, kind: str) -> NDArray:
        features = Features(self._network(), (*self.content_layers_, *self.style_layers_))
        with torch.no_grad():
            seen = features(pixels)
        wanted = {name: seen[name] for name in self.content_layers_}
        generator = torch.Generator().manual_seed(seed_from(self.random_state))
        noise = torch.rand(pixels.shape, generator=generator).to(pixels.device)
        picture = Picture(noise if self.start == "noise" else pixels)
        objective = Styling(picture, features, wanted, self.style_)
        random, first = losses(objective, noise), losses(objective, picture())
        objective.weights = Weights(
            **{k: getattr(self, f"{k}_weight") / max(v, LEAST) for k, v in random.items()}
        )
        rates = {"lr": self.lr, "weight_decay": 0.0, "momentum": 0.9}
        with seeded(0):
            run = fit(
                objective,
                Rounds(1 if name_in(self.optimizer) == "lbfgs" else UPDATES),
                optimizers={"train": make_optimizer(self.optimizer, picture, **rates)},
                epochs=self.max_epochs,
                time_limit=self.time_limit,
                validate=lambda: losses(objective, picture()),
                hooks=(Progress(),) if self.verbose else (),
            )
        tell(run)
        painted = picture().detach()
        self._record(run, pixels, {"start": first, "end": losses(objective, painted)})
        return _as_array(painted, kind)

    def _record(self, run: Run, pixels: Tensor, scores: dict[str, dict[str, float]]) -> None:
        settings = {k: plain(getattr(self, k)) for k in fields_of(type(self))}
        self.record_ = TrainingRecord(
            task="style",
            settings=settings,
            plan={"device": str(pixels.device), "precision": "float32"},
            history=run.history,
            data={"image_shape": list(pixels.shape[1:]), "n_parameters": pixels.numel()},
            scores=scores,
            non_finite=run.non_finite,
            stopped=run.stopped or "epochs",
            seconds=run.spent,
        )
        self.diagnosis_ = diagnose(self.record_)

    def save(self, path: Any) -> Any:
        """Not for this one: what it leaves is a picture."""
        raise GanglionError(f"what StyleTransfer leaves is a picture; save picture_ instead of {path}.")


class Rounds:
    """Batches of nothing, ``n`` in an epoch: the picture is the only example."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        """Updates of a round."""
        return self.n

    def size(self, batch: dict[str, Any]) -> int:
        """One picture."""
        return 1

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Any]]:
        """The rest of a round."""
        return iter([{}] * (self.n - start))

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""

    def feedback(self, step: Any) -> None:
        """Nothing listens."""


@torch.no_grad()
def losses(objective: Styling, pixels: Tensor) -> dict[str, float]:
    """The parts of a picture's loss as numbers."""
    return {name: float(value) for name, value in objective.parts(pixels).items()}


def _scaled(pixels: Tensor, longest: int) -> tuple[int, int]:
    """Height and width with the longest side as wanted."""
    height, width = pixels.shape[2:]
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _as_array(pixels: Tensor, kind: str) -> NDArray:
    """Pixels (1, c, h, w) as an array: floats in [0, 1] where such were given, else uint8; grey without channels."""
    array = pixels[0].permute(1, 2, 0).cpu().numpy()
    array = array[:, :, 0] if array.shape[2] == 1 else array
    return array if kind != "uint8" else (255 * array).round().astype(np.uint8)
