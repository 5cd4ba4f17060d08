"""Transfer learning on pictures: a network that was trained before, under a new head."""

import copy
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from ganglion.base.errors import ModelFileError, ParameterError
from ganglion.base.fields import Above, AtLeast, Between, Search
from ganglion.base.named import name_in
from ganglion.base.registry import lookup
from ganglion.estimators.pictures.classes import PictureClassifier
from ganglion.estimators.pictures.network import STATISTICS
from ganglion.estimators.training import SetUp
from ganglion.models.backbone import Adapted, parts_of
from ganglion.models.cnn import Head
from ganglion.nn.pictures import Standardise
from ganglion.objectives.base import Objective


class BackboneClassifier(PictureClassifier):
    """A classifier on the features of a network that was trained before: only its head learns, or parts behind it too.

    ``backbone`` is a module without its head (Ganglion's own lose theirs by themselves): pictures (n, c, h, w) ->
    features (n, d) or maps (n, d, h, w). An instance is copied; a class or function is called with (c, h, w). A
    network of Ganglion's own standardises its pictures itself; one of timm gets the mean and spread that its
    ``pretrained_cfg`` names; others get pictures of mean 0 and spread 1.

    With ``unfreeze="gradual"`` only the head learns in the first epochs, and one more part from the end in each
    further ``unfreeze_every`` epochs; ``layer_lr_decay`` lets earlier parts learn more slowly (Howard and Ruder 2018,
    arXiv:1801.06146).

    >>> import numpy as np
    >>> X = np.random.default_rng(0).integers(0, 100, (200, 8, 8), dtype=np.uint8)
    >>> y = np.arange(200) % 2
    >>> X[y == 1, 2:5, 2:5] += 120
    >>> features = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU())
    >>> float(BackboneClassifier(backbone=features, max_epochs=20).fit(X, y).score(X, y))
    1.0
    """

    backbone: Annotated[
        Any,
        "an nn.Module without its head, what makes one from (channels, height, width), or a registered name",
    ] = None
    freeze: Annotated[
        int | Literal["all", "none"], AtLeast(0), "how many leading parts of the backbone stay as they are"
    ] = "all"
    unfreeze: Annotated[
        Literal["gradual"] | None, "gradual lets parts learn one after another, the last ones first"
    ] = None
    unfreeze_every: Annotated[int, AtLeast(1), "epochs until one more part learns"] = 1
    layer_lr_decay: Annotated[
        float, Above(0), Search(0.3, 1.0), "step size of a part, as a multiple of that of the part behind it"
    ] = 1.0
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of the features that is dropped"
    ] = 0.0
    optimizer, lr = "adamw", 3e-3

    def _check(self) -> None:
        super()._check()
        if self.backbone is None:
            raise ParameterError(
                "BackboneClassifier needs a network that was trained before, got backbone=None; give an nn.Module "
                "without its head, or take ResNetClassifier."
            )
        if self.unfreeze and self.freeze == "all":
            raise ParameterError(
                "unfreeze='gradual' lets parts learn that freeze='all' holds for good; set freeze='none', or the "
                "number of parts that stay."
            )
        if self.freeze not in ("none", 0) and (self.l1 or self.max_norm):
            raise ParameterError(
                "l1 and max_norm change every weight, also those that freeze= holds; leave them out, or set "
                "freeze='none'."
            )
        if self.layer_lr_decay != 1 and name_in(self.optimizer) == "lbfgs":
            raise ParameterError(
                "optimizer 'lbfgs' has one step size for all layers; leave layer_lr_decay at 1."
            )

    # --- the module ---------------------------------------------------------------------------------------

    def _build(self, start: Tensor) -> nn.Module:
        backbone = build_backbone(self.backbone, self.image_shape_)
        features = features_of(backbone, self.image_shape_)
        channels = self.image_shape_[0]
        blank = Standardise([0.0] * channels, [1.0] * channels)
        return Adapted(backbone, blank, features, len(start), self.dropout, start)

    def _standardise(self, x: Tensor) -> None:
        """What the backbone was trained with, where that is known."""
        config = getattr(self.module_.backbone, "pretrained_cfg", None)
        if isinstance(config, dict) and {"mean", "std"} <= set(config):
            known = Standardise(list(config["mean"]), list(config["std"]))
            self.module_.standardise.load_state_dict(known.state_dict())
        elif not any(isinstance(m, Standardise) for m in self.module_.backbone.modules()):
            super()._standardise(x)
        self.module_.learn_scale(x[:: max(1, len(x) // STATISTICS)])

    def _held(self) -> int:
        """How many parts stay as they are; raises ``ParameterError`` where there are fewer."""
        n = len(self.module_.parts())
        held = n if self.freeze == "all" else 0 if self.freeze == "none" else int(self.freeze)
        if held > n:
            raise ParameterError(
                f"freeze={held} leading parts stay as they are, and the backbone has {n}; give 0 to {n}."
            )
        return held

    # --- training -----------------------------------------------------------------------------------------

    def _objective(self, model: nn.Module) -> Objective:
        model.hold(self._held())  # type: ignore[operator]
        return super()._objective(model)

    def _picture_set_up(self, *arguments: Any) -> SetUp:
        set_up = super()._picture_set_up(*arguments)
        if self.layer_lr_decay != 1:
            split_rates(set_up.optimizer, self.module_.rates(self.layer_lr_decay))
        if self.unfreeze:
            set_up.batches = Thawing(set_up.batches, self.module_, self._held(), self.unfreeze_every)
        return set_up

    def _finish(self, *arguments: Any) -> None:
        self.module_.hold(0)  # what was held is told by the settings, and the module is any module again
        super()._finish(*arguments)

    def _load_weights(self, weights: dict[str, Any]) -> None:
        backbone = build_backbone(self.backbone, self.image_shape_)
        outputs, features = weights["head.linears.0.weight"].shape
        if outputs != self._units() or features != features_of(backbone, self.image_shape_):
            raise ModelFileError("its head is of another size than its backbone and its classes say.")
        blank = [0.0] * self.image_shape_[0]
        module = Adapted(backbone, Standardise(blank, blank), features, outputs, self.dropout)
        module.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()})
        self.module_ = self._place(module, torch.device("cpu")).eval()


class Thawing:
    """Batches at whose epochs one more part of the network starts to learn; the face of ``data.batches``.

    The number of parts follows from the epoch alone, so that a resumed run goes on as the whole one.
    """

    def __init__(self, batches: Any, model: Adapted, held: int, every: int) -> None:
        self.batches, self.model, self.held, self.every = batches, model, held, every

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.batches, name)

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        self.model.hold(max(self.held, len(self.model.parts()) - epoch // self.every))
        yield from self.batches.epoch(seed, epoch, start)


def build_backbone(given: Any, shape: tuple[int, int, int]) -> nn.Module:
    """A network without its head, from an instance (copied), a class or function of the shape, or a registered name.

    Raises ``ParameterError`` for anything else.
    """
    made = copy.deepcopy(given) if isinstance(given, nn.Module) else None
    if made is None:
        maker = lookup("module", given) if isinstance(given, str) else given
        made = maker(shape) if callable(maker) else maker
    if not isinstance(made, nn.Module) or not parts_of(made):
        raise ParameterError(
            f"backbone must be an nn.Module, a class or function (channels, height, width) -> module, or a registered "
            f"name; got {type(made).__name__}."
        )
    if isinstance(getattr(made, "head", None), Head):
        made.head = made.head.pool  # type: ignore[union-attr, assignment]
    return made.float()


@torch.no_grad()
def features_of(backbone: nn.Module, shape: tuple[int, int, int]) -> int:
    """How many features a backbone gives for pictures of a shape (c, h, w); raises ``ParameterError``."""
    c, h, w = shape
    was_training = backbone.training
    try:
        found = backbone.eval()(torch.zeros(2, c, h, w))
    except Exception as error:  # whatever a module of the user's own may raise
        reason = str(error).split("\n")[0][:120]
        raise ParameterError(
            f"backbone must take these pictures, (n, {c}, {h}, {w}), and fails on them ({reason}); set image_channels "
            "and image_size to what it was made for."
        ) from error
    finally:
        backbone.train(was_training)
    shape_found = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
    if not isinstance(found, Tensor) or found.dim() not in (2, 4) or len(found) != 2:
        raise ParameterError(
            f"backbone must give features (n, d) or maps (n, d, h, w), got {shape_found} for 2 pictures; take its "
            "head off."
        )
    return found.shape[1]


def split_rates(optimizer: Any, shares: dict[nn.Parameter, float]) -> None:
    """Give each parameter its share of the step size, the head's groups first."""
    groups = [
        {**group, "params": [p for p in group["params"] if shares[p] == share], "lr": group["lr"] * share}
        for share in sorted(set(shares.values()), reverse=True)
        for group in optimizer.param_groups
    ]
    optimizer.param_groups[:] = [group for group in groups if group["params"]]
