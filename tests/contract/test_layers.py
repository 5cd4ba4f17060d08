"""Every layer, model and objective of the package: gradients reach each parameter, both ways of going agree."""

import copy
import importlib
import pkgutil

import numpy as np
import pytest
import torch
from torch import nn

import ganglion.models
import ganglion.nn
import ganglion.objectives
from ganglion.models.backbone import Adapted
from ganglion.models.capsule import CapsuleNet
from ganglion.models.captioner import Attention, CaptionNet
from ganglion.models.cnn import CNN, ConvBlock, Head
from ganglion.models.detector import Detector
from ganglion.models.encoder import Answer, Encoder, Pool
from ganglion.models.forecast import Decomposed, ForecastNet, Patched
from ganglion.models.language import LanguageNet
from ganglion.models.mlp import MLP
from ganglion.models.resnet import Parts, ResidualBlock, ResNet
from ganglion.models.series import SeriesNet
from ganglion.models.speech import SpeechNet, Subsample
from ganglion.models.stacked import StackedLinear, StackedMLP
from ganglion.models.style import Picture
from ganglion.models.tagger import TagNet
from ganglion.models.text import BagNet, TextNet
from ganglion.models.translator import Reader, RecurrentWriter, TransformerWriter, TranslatorNet
from ganglion.models.unet import UNet
from ganglion.nn.activations import Heaviside, Maxout
from ganglion.nn.attention import AdditiveAttention, AttentionPool, MultiHeadAttention
from ganglion.nn.convolution import Conv1x1, UnevenConv2d, Up
from ganglion.nn.crf import CRF
from ganglion.nn.dense import DenseStack, Shortcut
from ganglion.nn.mel import LogMel
from ganglion.nn.noise import Dropout, DropPath, GaussianNoise, SpatialDropout
from ganglion.nn.norms import RMSNorm, SpectralNormLinear, WeightNormLinear
from ganglion.nn.padding import Scale
from ganglion.nn.pictures import Standardise
from ganglion.nn.piecewise import PiecewiseLinear
from ganglion.nn.pooling import Blur, GlobalPool
from ganglion.nn.positions import Alibi, Learned, Positions, Relative, Rotary, Sinusoidal
from ganglion.nn.recurrent import Cell, GRUCell, LSTMCell, Recurrent, RNNCell
from ganglion.nn.routing import Capsules
from ganglion.nn.spec_augment import SpecAugment
from ganglion.nn.tabular import TableInput
from ganglion.nn.temporal import ParallelConvs, TemporalBlock, TemporalConv, TemporalStack
from ganglion.nn.transformer import FeedForward, Transformer, TransformerBlock
from ganglion.objectives.base import Objective
from ganglion.objectives.capsule import CapsuleObjective, capsule_loss_named
from ganglion.objectives.caption import Captioning
from ganglion.objectives.ctc import CTC
from ganglion.objectives.detection import Detection
from ganglion.objectives.language import HiddenToken, NextToken
from ganglion.objectives.losses import loss_named
from ganglion.objectives.segmentation import Segmentation, pixel_loss_named
from ganglion.objectives.style import Styling
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.objectives.tagging import Tagging
from ganglion.objectives.translation import Translation
from ganglion.optim.flat import Flat

EDGES = [np.array([-1.0, 0.0, 0.5, 2.0]), np.zeros(0)]


def shipped(package, kind):
    """All classes of a kind that the modules of a package define."""
    found = set()
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        module = importlib.import_module(info.name)
        found |= {
            c
            for c in vars(module).values()
            if isinstance(c, type) and issubclass(c, kind) and c.__module__ == info.name
        }
    return found - {kind}


def table(n=20):
    g = torch.Generator().manual_seed(0)
    return torch.cat([torch.randn(n, 2, generator=g), torch.randint(0, 5, (n, 1), generator=g).float()], 1)


# a layer is known here by how it is made and what it is fed; a new one without a line makes the first test fail
LAYERS = {
    DenseStack: lambda: (DenseStack([3, 5, 2], "tanh"), torch.randn(7, 3)),
    Heaviside: lambda: (Heaviside(), torch.randn(7, 3)),
    Maxout: lambda: (Maxout(3), torch.randn(7, 6)),
    RMSNorm: lambda: (RMSNorm(3), torch.randn(7, 3)),
    WeightNormLinear: lambda: (WeightNormLinear(3, 2), torch.randn(7, 3)),
    SpectralNormLinear: lambda: (SpectralNormLinear(3, 2), torch.randn(7, 3)),
    Shortcut: lambda: (Shortcut(3, 0.5), torch.randn(7, 3), torch.randn(7, 3)),
    Dropout: lambda: (Dropout(0.5), torch.randn(7, 3)),
    SpatialDropout: lambda: (SpatialDropout(0.5), torch.randn(7, 3, 4)),
    DropPath: lambda: (DropPath(0.5), torch.randn(7, 3)),
    GaussianNoise: lambda: (GaussianNoise(0.5), torch.randn(7, 3)),
    PiecewiseLinear: lambda: (PiecewiseLinear(EDGES), torch.randn(7, 2)),
    TableInput: lambda: (TableInput(2, (5,), EDGES), table()),
    MLP: lambda: (MLP(2, (5,), (6, 6), 3, init="he", edges=EDGES), table()),
    CNN: lambda: (starts_anywhere(CNN((1, 8, 8), 3, widths=(4, 6))), torch.rand(7, 1, 8, 8)),
    Blur: lambda: (Blur(2), torch.randn(7, 3, 6, 5)),
    GlobalPool: lambda: (GlobalPool("average", "max"), torch.randn(7, 3, 4, 4)),
    Standardise: lambda: (Standardise([0.4, 0.5], [0.2, 0.0]), torch.rand(7, 2, 4, 4)),
    UnevenConv2d: lambda: (UnevenConv2d(2, 3, 2, around=(0, 1, 0, 1)), torch.randn(7, 2, 5, 5)),
    Conv1x1: lambda: (Conv1x1(2, 3, 1, stride=2), torch.randn(7, 2, 5, 5)),
    Up: lambda: (Up(3, 2, 2, 2), torch.randn(7, 3, 4, 4)),
    ConvBlock: lambda: (ConvBlock(2, 4, 3, "same", "gelu", "batch", "max"), torch.randn(7, 2, 6, 6)),
    Head: lambda: (Head("max", 4, (2, 2), (5,), 3, "tanh", 0.1), torch.randn(7, 4, 2, 2)),
    ResidualBlock: lambda: (
        not_silent(ResidualBlock(4, 3, 2, "bottleneck", Parts.named("relu", "batch"))),
        torch.randn(7, 4, 6, 6),
    ),
    ResNet: lambda: (
        not_silent(starts_anywhere(ResNet((1, 8, 8), 3, depth=8, width=4))),
        torch.rand(7, 1, 8, 8),
    ),
    Adapted: lambda: (adapted(), torch.rand(7, 1, 8, 8)),
    UNet: lambda: (seeing(UNet(1, 3, widths=(4, 6, 8))), torch.rand(7, 1, 10, 9)),
    Capsules: lambda: (Capsules(5, 4, 3, 6), torch.randn(7, 5, 4)),
    CapsuleNet: lambda: (capsule_net(), torch.rand(7, 1, 8, 8)),
    Detector: lambda: (
        not_silent(Detector((1, 17, 10), 3, widths=(4, 6, 6), stride=4)),
        torch.rand(7, 1, 17, 10),
    ),
    Attention: lambda: (Attention(5, 4), torch.randn(7, 9, 4), torch.randn(7, 5)),
    CaptionNet: lambda: (CaptionNet((1, 8, 8), 5, widths=(4,), units=6), torch.rand(7, 1, 8, 8), captions(7)),
    CRF: lambda: (
        CRF(3),
        torch.randn(7, 4, 3),
        torch.randint(0, 3, (7, 4)),
        torch.ones(7, 4, dtype=torch.bool),
    ),
    LogMel: lambda: (LogMel(8000, bands=10), torch.randn(7, 2000)),
    Positions: lambda: (Positions(), torch.randn(7, 5, 4)),
    Sinusoidal: lambda: (Sinusoidal(), torch.randn(7, 5, 4)),
    Learned: lambda: (Learned(4, 5), torch.randn(7, 5, 4)),
    Rotary: lambda: (Rotary(4), torch.randn(7, 2, 5, 4)),
    Relative: lambda: (far(Relative(2, 3)), 4, 4),
    Alibi: lambda: (Alibi(2), 4, 4),
    MultiHeadAttention: lambda: (MultiHeadAttention(8, 2, causal=True), torch.randn(7, 5, 8)),
    AdditiveAttention: lambda: (AdditiveAttention(3, 4, 5), torch.randn(7, 3), torch.randn(7, 6, 4)),
    AttentionPool: lambda: (AttentionPool(4), torch.randn(7, 5, 4), there(7)),
    FeedForward: lambda: (FeedForward(4, 6, "gelu"), torch.randn(7, 4)),
    TransformerBlock: lambda: (TransformerBlock(8, 2, cross=True), *attending()),
    Transformer: lambda: (Transformer(8, 2, 2, cross=True), *attending()),
    RNNCell: lambda: (RNNCell(3, 4), torch.randn(7, 3), (torch.randn(7, 4),)),
    LSTMCell: lambda: (LSTMCell(3, 4), torch.randn(7, 3), (torch.randn(7, 4), torch.randn(7, 4))),
    GRUCell: lambda: (GRUCell(3, 4), torch.randn(7, 3), (torch.randn(7, 4),)),
    Recurrent: lambda: (
        Recurrent("lstm", 3, 4, layers=2, bidirectional=True),
        torch.randn(7, 5, 3),
        there(7),
    ),
    TemporalConv: lambda: (TemporalConv(3, 4, 3, dilation=2), torch.randn(7, 3, 9)),
    TemporalBlock: lambda: (TemporalBlock(3, 4, 3), torch.randn(7, 3, 5), there(7)),
    TemporalStack: lambda: (TemporalStack(3, (4, 4), 3), torch.randn(7, 5, 3), there(7)),
    ParallelConvs: lambda: (ParallelConvs(3, 4), torch.randn(7, 5, 3), there(7)),
    BagNet: lambda: (bag(), torch.randint(0, 9, (7, 5))),
    TextNet: lambda: (TextNet(9, torch.zeros(3), cell="cnn", units=4), torch.randint(0, 9, (7, 5))),
    Scale: lambda: (Scale(2), torch.randn(7, 5, 2)),
    Encoder: lambda: (Encoder("transformer", 3, 8, heads=2), torch.randn(7, 5, 3), there(7)),
    Pool: lambda: (Pool("attention", 4), torch.randn(7, 5, 4), torch.randn(7, 4), there(7)),
    Answer: lambda: (Answer(4, torch.zeros(3), 0.1), torch.randn(7, 4)),
    SeriesNet: lambda: (SeriesNet(2, torch.zeros(3), cell="gru", units=4), torch.randn(7, 5, 2)),
    LanguageNet: lambda: (telling(), torch.randint(0, 6, (7, 5))),
    Decomposed: lambda: (told_anyhow(Decomposed(30, 2, 5)), torch.randn(7, 30, 2)),
    Patched: lambda: (told_anyhow(Patched("lstm", 9, 2, 5, patch=4, units=6)), torch.randn(7, 9, 2)),
    ForecastNet: lambda: (
        told_anyhow(
            ForecastNet("transformer", 9, 3, targets=2, known=1, lagged=1, outputs=3, patch=4, units=8)
        ),
        torch.randn(7, 12, 4),
    ),
    SpecAugment: lambda: (SpecAugment(2, 3), torch.randn(7, 9, 6), torch.full((7,), 9)),
    Subsample: lambda: (Subsample(8, 4, 2), torch.randn(7, 9, 8), torch.full((7,), 9)),
    SpeechNet: lambda: (hearing(), torch.randn(7, 2000)),
    TagNet: lambda: (tagging(), sentences(7)),
    Reader: lambda: (Reader(9, "gru", 4), torch.randint(0, 9, (7, 5))),
    TransformerWriter: lambda: (
        TransformerWriter(7, 8, **DEEP),
        memory("transformer", 8),
        torch.randint(1, 7, (7, 3)),
    ),
    RecurrentWriter: lambda: (RecurrentWriter(7, "lstm", 4), memory("gru", 4), torch.randint(1, 7, (7, 3))),
    TranslatorNet: lambda: (translating(), torch.randint(1, 9, (7, 5)), torch.randint(1, 7, (7, 3))),
    Picture: lambda: (Picture(torch.rand(1, 3, 4, 5)),),
    StackedLinear: lambda: (StackedLinear([nn.Linear(3, 2) for _ in range(4)]), torch.randn(4, 7, 3)),
    StackedMLP: lambda: (
        StackedMLP.of([nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)) for _ in range(3)]),
        torch.randn(3, 7, 3),
    ),
}
OBJECTIVES = {
    CapsuleObjective: lambda: CapsuleObjective(capsule_net(), capsule_loss_named("margin")),
    Supervised: lambda: Supervised(MLP(3, (), (4,), 2, init="he"), loss_named("cross_entropy")),
    SupervisedByHand: lambda: by_hand(MLP(3, (), (4,), 2, init="he")),
    Segmentation: lambda: Segmentation(seeing(UNet(1, 2, widths=(4, 6))), pixel_loss_named("focal+dice")),
    Captioning: lambda: Captioning(CaptionNet((1, 8, 8), 5, widths=(4,), units=6)),
    NextToken: lambda: NextToken(telling()),
    HiddenToken: lambda: HiddenToken(telling(), 0, 1, 6, 0.5),
    Translation: lambda: Translation(translating(), length=3.0),
    Tagging: lambda: Tagging(tagging(), 3.0),
    CTC: lambda: CTC(hearing()),
    Styling: lambda: Styling(
        Picture(torch.rand(9, 2, 4, 5)),
        lambda x: {"x": x},
        {"x": torch.rand(1, 2, 4, 5)},
        {"x": torch.rand(1, 2, 2)},
    ),
    Detection: lambda: Detection(not_silent(Detector((1, 9, 8), 2, widths=(4, 6), stride=2)), objects=1.5),
}
BATCHES = {
    Translation: lambda: {
        "x": torch.randint(1, 9, (9, 5)), "y": torch.randint(3, 7, (9, 4)), "weight": torch.rand(9)
    },
    Tagging: lambda: {"x": sentences(9), "y": torch.randint(0, 3, (9, 5)), "weight": torch.rand(9)},
    CTC: lambda: {"x": torch.randn(9, 2000), "y": torch.randint(0, 2, (9, 2)), "weight": torch.rand(9)},
    HiddenToken: lambda: {"x": torch.randint(1, 6, (9, 5)), "weight": torch.rand(9)},
    NextToken: lambda: {"x": torch.randint(0, 6, (9, 5)), "y": torch.randint(-1, 6, (9, 5)), "weight": torch.rand(9)},
    Captioning: lambda: {"x": torch.rand(9, 1, 8, 8), "words": captions(9)[:, None], "weight": torch.rand(9)},
    Detection: lambda: {
        "x": torch.rand(9, 1, 9, 8), "boxes": torch.tensor([1.0, 2, 6, 8]).expand(9, 2, 4),
        "labels": torch.randint(-2, 2, (9, 2)), "weight": torch.rand(9)
    },
    CapsuleObjective: lambda: {
        "x": torch.rand(9, 1, 8, 8), "y": torch.randint(0, 3, (9,)), "weight": torch.rand(9)
    },
    Segmentation: lambda: {
        "x": torch.rand(9, 1, 5, 6), "masks": torch.randint(-1, 2, (9, 5, 6)), "weight": torch.rand(9)
    },
}  # fmt: skip


def there(n):
    """What is there of sequences of one to five places."""
    return torch.arange(5) < torch.randint(1, 6, (n, 1))


def attending():
    """Sequences and a memory, of which all is there."""
    return torch.randn(7, 5, 8), None, torch.randn(7, 4, 8)


DEEP = {"heads": 2, "layers": 1, "positions": "rotary"}


def memory(cell, units):
    """What a reader knows of texts, without its gradients."""
    made = Reader(9, cell, units, heads=2)(torch.randint(1, 9, (7, 5)))
    return type(made)(*(part.detach() for part in made))


def translating():
    """A translator whose last weights are not zero."""
    net = TranslatorNet((9, 7), units=8, heads=2)
    torch.nn.init.normal_(net.writer.head.weight)
    return net


def telling():
    """A language model whose last weights are not zero."""
    net = LanguageNet(6, units=8, heads=2, layers=1)
    torch.nn.init.normal_(net.head.weight)
    return net


def hearing():
    """A small network that hears waves."""
    return SpeechNet(4, rate=8000, bands=10, units=6, cell="gru")


def told_anyhow(net):
    """A network none of whose last weights are zero."""
    for m in net.modules():
        if isinstance(m, nn.Linear) and not m.weight.any():
            nn.init.normal_(m.weight)
    return net


def tagging():
    """A tagger with a CRF that has learned something."""
    net = TagNet(9, 6, torch.zeros(3), width=4, units=4, cell="gru", bidirectional=True, crf=True)
    torch.nn.init.normal_(net.crf.transitions)
    return net


def sentences(n):
    """Sentences of one to five words, each a word's code and those of two signs."""
    return (
        torch.cat([torch.randint(1, 9, (n, 5, 1)), torch.randint(0, 6, (n, 5, 2))], 2) * there(n)[..., None]
    )


def bag():
    """A bag of tokens that tell classes apart."""
    net = BagNet(9, torch.zeros(3), dropout=0.1)
    net.ratio.normal_()
    return net


def far(positions):
    """Relative positions that have learned something."""
    torch.nn.init.normal_(positions.table)
    return positions


def captions(n):
    """Codes of n captions of one to three words and an end."""
    words = torch.randint(1, 5, (n, 4))
    end = torch.randint(1, 4, (n, 1))
    place = torch.arange(4)
    return torch.where(place < end, words, torch.where(place == end, 0, -1))


def rows():
    """What most objectives take."""
    return {"x": torch.randn(9, 3), "y": torch.randint(0, 2, (9,)), "weight": torch.rand(9)}


def starts_anywhere(net):
    """A network whose last weights are not zero, so that a gradient passes."""
    torch.nn.init.normal_(net.head.linears[-1].weight)
    return net


def not_silent(net):
    """A network none of whose norms has weights of 0, so that a gradient passes its residual branches."""
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.ones_(m.weight)
    return net


def adapted():
    return starts_anywhere(Adapted(nn.Conv2d(1, 4, 3), Standardise([0.0], [1.0]), 4, 3))


def seeing(net):
    """A network for masks whose last weights are not zero."""
    torch.nn.init.normal_(net.output.weight)
    return net


def capsule_net():
    return CapsuleNet((1, 8, 8), 3, widths=(4,), types=2, decoder=(5,))


def each(outs):
    """Outputs of a layer that may have several."""
    return outs if isinstance(outs, tuple) else (outs,)


def by_hand(net):
    return SupervisedByHand(net, loss_named("cross_entropy"), flat=Flat(net))


def test_no_layer_and_no_objective_is_forgotten():
    bases = {Cell}  # what is none itself
    assert (shipped(ganglion.nn, nn.Module) | shipped(ganglion.models, nn.Module)) - bases == set(LAYERS)
    assert shipped(ganglion.objectives, Objective) | {Objective} == {*OBJECTIVES, Objective}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda c: c.__name__)
def test_layers(layer):
    torch.manual_seed(0)
    module, *x = LAYERS[layer]()
    outs = each(module(*x))
    outs = [out for out in outs if out.is_floating_point()]
    assert all(torch.isfinite(out).all() for out in outs)
    if any(True for _ in module.parameters()):
        sum(out.square().sum() for out in outs).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    again = copy.deepcopy(module)
    again.load_state_dict(module.state_dict())
    module.eval(), again.eval()
    assert all(map(torch.equal, each(module(*x)), each(again(*x))))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda c: c.__name__)
def test_objectives(objective):
    torch.manual_seed(0)
    made = OBJECTIVES[objective]()
    batch = BATCHES.get(objective, rows)()
    torch.manual_seed(1)
    step = made(batch, "train")
    assert step.loss.shape == (9,)
    torch.manual_seed(1)  # what an objective draws is drawn again
    total, _ = made.gradients(batch, made.phases[0].name, 9)
    assert torch.isclose(total, (step.loss * batch["weight"]).sum())
    for phase in made.phases:
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.parameters_of(phase.name))
    assert isinstance(made.model, nn.Module)
