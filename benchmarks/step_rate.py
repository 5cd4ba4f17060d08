"""Goal: a training step from 64 channels on runs at half this machine's best rate of convolutions, or better.

    python benchmarks/step_rate.py [--networks cnn wide resnet resnet64] [--precision bf16] [--threads 1] [--quick]

The reference is the best of a sweep over 3x3 convolutions with channels last: of a single pass (forward, gradient of
the input, of the weight), and of a layer's whole work (all three). Steps are those of the estimators through
``train.fit``: batch, augmentation, forward, loss, backward, guard, optimiser. Operations of convolutions and
dense layers are counted by their shapes, 2 a multiplication. Rates are per second of processor time, so that other work
on the machine disturbs them less (it still takes caches away); layers are timed inside such steps.
"""

import argparse
import itertools
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from _shared import machine, table
from speed_products import cost
from torch.utils._python_dispatch import TorchDispatchMode

from ganglion import CNNClassifier, ResNetClassifier
from ganglion.nn.quick import product
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.plan import bf16_is_quicker

BATCH = 256
SWEEP = [(c, *rest) for c in (32, 64, 128, 256) for rest in ((28, 16), (14, 16), (14, 64), (7, 256))]
NETWORKS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "cnn": (CNNClassifier, {}),
    "wide": (CNNClassifier, {"widths": (64, 128, 256)}),
    "resnet": (ResNetClassifier, {}),
    "resnet64": (ResNetClassifier, {"depth": 20, "width": 64}),
}
PICTURES = {"28 x 28, grey": (1, 28, 28), "32 x 32, colour": (3, 32, 32)}
KINDS = {  # of operations, by the beginning of their names in torch.ops.aten
    "convolutions": ("convolution",),
    "norms": ("native_batch_norm", "_native_batch_norm"),
    "activations": ("gelu", "relu", "threshold", "silu"),
    "pooling": ("max_pool", "amax", "mean"),
    "sums": ("add",),
    "casts, copies": ("_to_copy", "copy_", "clone"),
}
NAMES = (*KINDS, "optimiser", "rest")


def convolution(channels: int, side: int, pictures: int, dtype: torch.dtype, rounds: int) -> list[float]:
    """GFLOP/s of a 3x3 convolution: forward, input's gradient, weight's gradient, all three together."""
    sizes = [(pictures, channels, side, side)] * 2 + [(channels, channels, 3, 3)]
    x, g, w = (torch.randn(s, dtype=dtype).contiguous(memory_format=torch.channels_last) for s in sizes)
    numbers = ([1, 1], [1, 1], [1, 1], False, [0, 0], 1)

    def backward(*wanted: bool) -> Callable[[], object]:
        return lambda: torch.ops.aten.convolution_backward(g, x, w, [0], *numbers, [*wanted, False])

    works = [
        lambda: torch.convolution(x, w, None, *numbers),
        *(backward(*wanted) for wanted in ((True, False), (False, True), (True, True))),
    ]
    a, b, c, both = (median(cost(work) for _ in range(rounds)) for work in works)
    gflops = 2 * 9 * channels * x.numel() / 1e9
    return [gflops / a, gflops / b, gflops / c, 3 * gflops / (a + both)]


def reference(dtype: torch.dtype, rounds: int) -> tuple[float, float]:
    """GFLOP/s of the best single pass and of the best whole layer; prints the sweep."""
    rates = {shape: convolution(*shape, dtype, rounds) for shape in SWEEP}
    rows = [[*shape, *(f"{r:.0f}" for r in found)] for shape, found in rates.items()]
    head = ["channels", "map", "pictures", "forward", "input gradient", "weight gradient", "all three"]
    print(f"### 3x3 convolutions, {str(dtype)[6:]}, GFLOP/s\n\n{table(head, rows)}")
    return max(max(r[:3]) for r in rates.values()), max(r[3] for r in rates.values())


def products(rounds: int) -> str:
    """What square products reach, as a table."""
    a, b = torch.randn(2, 1024, 1024)
    half = a.bfloat16(), b.bfloat16()
    works = {"MKL's float32 product": lambda: a.mm(b), "oneDNN's linear, float32": lambda: product(a, b)}
    if bf16_is_quicker(a.device):
        works["oneDNN's linear, bfloat16"] = lambda: product(*half)
    seconds = {name: median(cost(work) for _ in range(rounds)) for name, work in works.items()}
    return table(["1024 cubed", "GFLOP/s"], [[k, f"{2 * 1.024**3 / s:.0f}"] for k, s in seconds.items()])


class Clock(Hook):
    """Processor and clock time when each step ends, and whether the update is being made."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []
        self.updating = False

    def backward(self, run: Any) -> None:
        """Before the update."""
        self.updating = True

    def step(self, run: Any) -> None:
        """After the update."""
        self.updating = False
        self.ends.append((time.process_time(), time.perf_counter()))

    def medians(self) -> list[float]:
        """Processor and clock seconds of a step, the first left out."""
        return [median(b - a for a, b in itertools.pairwise(ends)) for ends in zip(*self.ends)]


class Times(TorchDispatchMode):
    """GFLOP and processor seconds of the operations inside the block, and of each convolution's passes."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.gflop, self.kinds = clock, 0.0, dict.fromkeys(NAMES, 0.0)
        self.layers: Any = defaultdict(
            lambda: ([], [])
        )  # shapes of input and weight -> there, back: (GFLOP, s)

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do one operation, and note what it took."""
        start = time.process_time()
        found = op(*args, **(kwargs or {}))
        seconds, name = time.process_time() - start, op.overloadpacket.__name__
        fitting = (kind for kind, starts in KINDS.items() if name.startswith(starts))
        self.kinds["optimiser" if self.clock.updating else next(fitting, "rest")] += seconds
        if name.startswith("convolution"):
            back = name == "convolution_backward"
            x, w = args[back : back + 2]
            passes = sum(args[-1][:2]) if back else 1  # pictures need no gradient
            gflop = passes * 2e-9 * (args[0] if back else found).numel() * w[0].numel()
            self.layers[tuple(x.shape), tuple(w.shape)][back].append((gflop, seconds))
            self.gflop += gflop
        elif name in ("mm", "addmm") and not self.clock.updating:
            self.gflop += 2e-9 * found.numel() * args[-2].shape[1]
        return found


def prepared(kind: type[Any], settings: dict[str, Any], shape: tuple[int, ...], precision: str) -> Any:
    """The estimator's own set-up for random pictures: module, objective, optimiser, batches, plan."""
    network = kind(batch_size=BATCH, augment="flip+crop(2)", watch="off", precision=precision, **settings)
    network.image_shape_, network.classes_, network.augment_ = shape, list(range(10)), network.augment
    tensors = {"x": torch.randint(256, (4 * BATCH, *shape), dtype=torch.uint8)}
    tensors["y"] = torch.randint(10, (4 * BATCH,))
    network.module_ = network._build(torch.zeros(10))
    network._standardise(tensors["x"])
    network._place(network.module_, torch.device("cpu"))
    return network._picture_set_up(network._objective(network.module_), tensors, network._augment())


def run(set_up: Any, steps: int, clock: Clock) -> Clock:
    """So many steps of ``train.fit``, as the estimator calls it."""
    arguments = set_up.arguments((), None, 0) | {"hooks": (clock,), "epochs": None, "max_steps": steps}
    fit(set_up.objective, set_up.batches, **arguments)
    return clock


def main() -> None:
    """Measure the reference, then each network; print the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    ask.add_argument("--precision", choices=("bf16", "float32"))
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--quick", action="store_true", help="few steps, one round")
    chosen = ask.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    rounds, steps = (1, 2) if chosen.quick else (3, 6)
    precision = chosen.precision or ("bf16" if bf16_is_quicker(torch.device("cpu")) else "float32")
    print(f"## The rate of a training step\n\n{chosen.threads} thread(s), {precision}; {machine()}\n")
    print(products(rounds))
    once, work = reference(torch.float32, rounds)
    if precision == "bf16":
        once, work = reference(torch.bfloat16, rounds)
    print(f"Reference: a layer {work:.0f} GFLOP/s, a single pass {once:.0f}.\n")
    rows, shares, layers = [], [], []
    for key, (pictures, shape) in itertools.product(chosen.networks, PICTURES.items()):
        set_up = prepared(*NETWORKS[key], shape, precision)
        processor, clock = run(set_up, steps, Clock()).medians()
        with Times(clocked := Clock()) as seen:
            run(set_up, steps // 2 + 1, clocked)
        rate = seen.gflop / len(clocked.ends) / processor
        numbers = [f"{1e3 * clock:.0f}", f"{1e3 * processor:.0f}", f"{rate:.0f}"]
        rows.append([key, pictures, *numbers, f"{rate / work:.2f}", f"{rate / once:.2f}"])
        total = sum(seen.kinds.values())
        shares.append([key, pictures, *(f"{100 * seconds / total:.0f}" for seconds in seen.kinds.values())])
        for (x, w), parts in seen.layers.items() if shape[0] == 1 else ():
            gflop, (there, back) = sum(p[0][0] for p in parts), (median(s for _, s in p) for p in parts)
            layer = f"{len(parts[0]) // len(clocked.ends)} x {w[2]}x{w[3]}, {w[1]} to {w[0]}, {x[2]} x {x[3]}"
            numbers = [f"{1e3 * there:.1f}", f"{1e3 * back:.1f}", f"{gflop / (there + back):.0f}"]
            layers.append([key, layer, *numbers, f"{gflop / (there + back) / work:.2f}"])
    head = ["network", "pictures", "ms", "processor ms", "GFLOP/s", "of a layer", "of a single pass"]
    print(f"### Whole steps, batch {BATCH}\n\n{table(head, rows)}")
    print(f"### Operations of a step, % of their time\n\n{table(['network', 'pictures', *NAMES], shares)}")
    head = ["network", "layer", "forward, ms each", "backward, ms each", "GFLOP/s", "of a layer"]
    print(f"### Layers inside the step, grey pictures\n\n{table(head, layers)}")


if __name__ == "__main__":
    main()
