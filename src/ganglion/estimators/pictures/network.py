"""What all estimators for pictures share: from files or arrays to tensors on the device, and the run on them."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Fields, Known
from ganglion.data.augment import AUGMENTS, augment_named
from ganglion.data.batches import ResidentBatches
from ganglion.data.images import Images, read_images
from ganglion.data.pictures import PictureBatches
from ganglion.data.streamed import StreamedImages
from ganglion.estimators.learner import Learner
from ganglion.estimators.training import SetUp, make_plan, rates_of
from ganglion.nn.pictures import Standardise
from ganglion.objectives.base import Objective
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import Plan, bf16_is_quicker

STATISTICS = 5_000  # pictures that the channels' mean and spread are taken from
ANSWER_NUMBERS = 2**19  # of the pictures that go through the network together outside training
USES = 400.0  # how often a picture's forward pass takes a weight, about: enough for all threads


def augment_field(text: str) -> object:
    """The augmentation of a field's text; raises ``ParameterError``."""
    return None if text == "auto" else augment_named(text)


class PictureFields(Fields):
    """How pictures are read and varied."""

    image_size: Annotated[
        int | tuple[int, ...] | None,
        AtLeast(1),
        "height and width that pictures are scaled to; None keeps theirs",
    ] = None
    image_channels: Annotated[
        Literal[1, 3, 4] | None, "1 grey, 3 colours, 4 with transparency; None as the pictures are"
    ] = None
    corrupt: Annotated[Literal["refuse", "skip"], "what to do about files that are no sound pictures"] = (
        "refuse"
    )
    augment: Annotated[
        str | None,
        Known("augment", lambda: ["auto", *AUGMENTS], augment_field, joined=True),
        "how training pictures are varied, as in 'flip+crop(2)'; auto finds out what leaves the classes alone",
    ] = "auto"


class PictureNetwork(PictureFields, Learner):
    """An estimator whose inputs are pictures of one size; learned: ``image_shape_`` (c, h, w), ``pixel_range_``."""

    optimizer, lr, schedule = "muon", 4e-3, "flat_cosine"
    preprocessor_ = None  # the columns of tables; what pictures go through stands in the module's first layer

    # --- reading ------------------------------------------------------------------------------------------

    def _read_pictures(self, X: Any, *, reset: bool) -> Images:
        """The pictures in X; with ``reset`` their size, channels and range are learned.

        Raises ``DataError`` for what is no collection of pictures, or of other pictures than in training.
        """
        if not reset:
            channels, *size = self.image_shape_
            images = read_images(X, size=tuple(size), channels=channels, corrupt="refuse")
            self._check_range(images)
            return images
        images = read_images(X, size=self._size(), channels=self.image_channels, corrupt=self.corrupt)
        self.image_shape_ = (images.channels, *images.size)
        self.pixel_range_ = tuple(float(v) for v in images.range)
        self.n_features_in_ = int(np.prod(self.image_shape_))
        return images

    def _size(self) -> tuple[int, int] | None:
        """Height and width that pictures are scaled to, if they are."""
        size = self.image_size
        return (size, size) if isinstance(size, int | np.integer) else size  # type: ignore[return-value]

    def _check_range(self, images: Images) -> None:
        low, high = images.range
        if images.kind != "uint8" and 0 < high <= 1 and low >= 0 and self.pixel_range_[1] >= 100:
            raise DataError(
                f"pictures with numbers from {self.pixel_range_[0]:g} to {self.pixel_range_[1]:g} are expected, as in "
                f"training, got numbers from {low:g} to {high:g}; multiply them by 255."
            )

    def _pixels(self, images: Images, index: Any = None) -> Tensor:
        """Pictures (n, c, h, w) as the network takes them: 8-bit numbers, or floats in the training's range."""
        return self._in_range(images.tensor(index))

    def _in_range(self, x: Tensor) -> Tensor:
        """Pixels as they are stored, brought to the training's range if they are no 8-bit numbers."""
        low, high = self.pixel_range_
        if x.dtype == torch.uint8 and (low, high) == (0.0, 255.0):
            return x
        return (x.float() - low) / (high - low if high > low else 1.0)

    # --- training -----------------------------------------------------------------------------------------

    def _device(self) -> torch.device:
        return pick_device(self.device)

    def _standardise(self, x: Tensor) -> None:
        """Teach the module's first layer the channels' mean and spread, from some of the training pictures."""
        learned = Standardise.from_pictures(x[:: max(1, len(x) // STATISTICS)])
        self.module_.standardise.load_state_dict(learned.state_dict())

    def _picture_plan(self, model: nn.Module, n: int, device: torch.device) -> Plan:
        """How a run on n pictures computes: in half precision where the device is quicker in it."""
        precision = self.precision
        if precision == "auto":
            precision = "bf16" if bf16_is_quicker(device) else "float32"
        return make_plan(self, model, n, device, precision=precision, uses=USES)

    def _picture_set_up(
        self, objective: Objective, tensors: dict[str, Tensor], augment: Any, images: Images | None = None
    ) -> SetUp:
        """Optimiser, batches and plan of a run on pictures that lie on the device, or on ``images``, decoded ahead."""
        device = next(objective.parameters()).device
        plan = self._picture_plan(objective.model, len(next(iter(tensors.values()))), device)
        least = 2 if objective.couples_batch else 1
        if images is None:
            batches = PictureBatches(ResidentBatches(tensors, plan.batch_size, least=least), augment)
        else:
            streamed = StreamedImages(images, tensors, plan.batch_size, least=least)
            batches = PictureBatches(streamed, augment, lambda x: self._in_range(x.to(device)))
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(self, objective, optimizer, batches, plan)

    def _place(self, module: nn.Module, device: torch.device) -> nn.Module:
        """The module on the device, its convolutions with the channels last, as they are computed quickest."""
        return module.to(device, memory_format=torch.channels_last)

    # --- answering ----------------------------------------------------------------------------------------

    def _together(self) -> int:
        """How many pictures go through the network at a time outside training."""
        return max(1, ANSWER_NUMBERS // self.n_features_in_)

    def _blank(self) -> np.ndarray:
        """A black picture, (1, h, w, c)."""
        channels, height, width = self.image_shape_
        return np.zeros((1, height, width, channels), np.uint8)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags
