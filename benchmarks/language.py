"""Claims about ``LanguageModel`` on Tiny Shakespeare by characters, against an equal plain torch script.

    python benchmarks/language.py quality [--seeds 3]    loss after 2,000 steps of batch 12 (at most 1.66 nats)
    python benchmarks/language.py time                   seconds to 1.88 nats, beside the script, eager and compiled
    python benchmarks/language.py speed [--rounds 5]     training tokens per second, in turns
    python benchmarks/language.py generate [--rounds 3]  tokens per second with the cache and without, context 256
    python benchmarks/language.py parts [--rounds 5]     where a step's time goes, in 32 and in 16 bits

4 layers of width 128, 4 heads, context 64, no dropout; the first 90 % of the text to learn from; the loss is that over
windows of 64 of the whole rest, which do not overlap. The script is the CPU configuration of nanoGPT: learned
positions, tied weights, AdamW (1e-3 to 1e-4 by a cosine after 100 steps, beta_2 0.99, decay 0.1), clipping at 1.
"""

import argparse
import gzip
import math
import time
from collections.abc import Callable
from statistics import mean, median
from typing import Any

import torch
from _shared import data_folder, machine, table
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion import LanguageModel

LAYERS, WIDTH, HEADS, CONTEXT, BATCH, STEPS = 4, 128, 4, 64, 12, 2000
GOAL = 1.88


def shakespeare() -> str:
    """The text."""
    with gzip.open(data_folder() / "tiny_shakespeare" / "input.txt.gz", "rt", encoding="utf-8") as file:
        return file.read()


# --- the plain script ---------------------------------------------------------------------------------------


class Block(nn.Module):
    """A block as nanoGPT has it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_a, self.norm_b = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = (
            nn.Linear(WIDTH, 4 * WIDTH, bias=False),
            nn.Linear(4 * WIDTH, WIDTH, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, d) -> (n, t, d)."""
        n, t, _ = x.shape
        q, k, v = (
            part.view(n, t, HEADS, -1).transpose(1, 2) for part in self.qkv(self.norm_a(x)).split(WIDTH, 2)
        )
        taken = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(taken.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.down(F.gelu(self.up(self.norm_b(x))))


class Plain(nn.Module):
    """The whole network."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(size, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH, bias=False), nn.Linear(WIDTH, size, bias=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                last = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * LAYERS) if last else 0.02)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean loss of codes (n, t) with those that follow."""
        h = self.embed(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return F.cross_entropy(self.head(self.norm(h)).flatten(0, 1), y.flatten())


def plain(
    codes: Tensor, size: int, *, compiled: bool, steps: int, goal: float | None = None
) -> dict[str, float]:
    """Train the script; seconds of its steps, and where there is a goal the loss and the seconds until it."""
    torch.manual_seed(0)
    kept = len(codes) - round(0.1 * len(codes))
    train, held = codes[:kept], codes[kept:]
    net = Plain(size)
    run: Callable[..., Tensor] = torch.compile(net) if compiled else net
    decayed = [p for p in net.parameters() if p.dim() > 1]
    rest = [p for p in net.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=not compiled)
    spent, found = 0.0, {"seconds": math.inf, "loss": math.inf}
    start = time.process_time()
    for step in range(steps):
        share = min(step / 100, 0.1 + 0.45 * (1 + math.cos(math.pi * (step - 100) / (STEPS - 100))))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * share
        at = torch.randint(len(train) - CONTEXT, (BATCH,))
        x = torch.stack([train[i : i + CONTEXT] for i in at])
        y = torch.stack([train[i + 1 : i + 1 + CONTEXT] for i in at])
        run(x, y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step == 4:  # what was compiled and warmed up is not counted
            spent, start = 0.0, time.process_time()
        if goal is not None and step % 100 == 99:
            spent += time.process_time() - start
            cut = held.unfold(0, CONTEXT + 1, CONTEXT)
            with torch.no_grad():
                losses = [float(net(p[:, :-1], p[:, 1:])) * len(p) for p in cut.split(256)]
            found["loss"] = sum(losses) / len(cut)
            if found["loss"] <= goal and math.isinf(found["seconds"]):
                found["seconds"] = spent
                return found
            start = time.process_time()
    found["spent"] = spent + time.process_time() - start
    return found


# --- the parts ----------------------------------------------------------------------------------------------


def ours(text: str, **settings: Any) -> LanguageModel:
    """A fit of the same size."""
    shape = {"units": WIDTH, "layers": LAYERS, "heads": HEADS, "context": CONTEXT, "batch_size": BATCH}
    return LanguageModel(**shape, **{"max_steps": STEPS, **settings}).fit(text)


def quality(text: str, options: argparse.Namespace) -> None:
    """The loss after 2,000 steps."""
    losses = []
    for seed in range(options.seeds):
        model = ours(text, random_state=seed, precision=options.precision)
        losses.append(model.record_.scores["validation"]["loss"])
        print(f"seed {seed}: {losses[-1]:.4f} nats, {model.record_.seconds:.0f} s", flush=True)
    print(
        f"mean {mean(losses):.4f} ({min(losses):.4f} to {max(losses):.4f}), {model.record_size():,} weights"
    )


def speed(text: str, options: argparse.Namespace) -> None:
    """Training tokens per second of processor time, in turns; the fit's own scores are not part of a step."""
    codes, size = codes_of(text)
    steps, rates = 60, {"Ganglion": [], "script, eager": [], "script, compiled": []}
    for _ in range(options.rounds):
        rates["Ganglion"].append(BATCH * CONTEXT / per_step(text, options.precision))
        for name, compiled in (("script, eager", False), ("script, compiled", True)):
            if compiled and not options.compiled:
                continue
            spent = plain(codes, size, compiled=compiled, steps=steps)["spent"]
            rates[name].append(BATCH * CONTEXT * (steps - 5) / spent)
    rows = [[name, f"{median(r):.0f}", f"{min(r):.0f} to {max(r):.0f}", f"{median(rates['Ganglion']) / median(r):.2f}"]
            for name, r in rates.items() if r]  # fmt: skip
    print(table(["", "tokens per second", "spread", "Ganglion / this"], rows))


def per_step(text: str, precision: str) -> float:
    """Processor seconds of a step: the difference of a longer and a shorter fit, both scored alike."""
    taken = []
    for steps in (20, 80):
        start = time.process_time()
        ours(text[:200_000], max_steps=steps, max_epochs=1, precision=precision)
        taken.append(time.process_time() - start)
    return (taken[1] - taken[0]) / 60


def time_to(text: str, options: argparse.Namespace) -> None:
    """Processor seconds to the goal: ours in runs of a length that just reaches it."""
    codes, size = codes_of(text)
    rows = []
    for steps in options.steps:
        start = time.process_time()
        model = ours(text, max_steps=steps, precision=options.precision)
        loss = model.record_.scores["validation"]["loss"]
        rows.append(
            [f"Ganglion, {steps} steps, whole fit", f"{loss:.3f}", f"{time.process_time() - start:.0f}"]
        )
        print(rows[-1], flush=True)
    for name, compiled in (("script, eager", False), ("script, compiled", True)):
        if compiled and not options.compiled:
            continue
        found = plain(codes, size, compiled=compiled, steps=STEPS, goal=GOAL)
        rows.append([name, f"{found['loss']:.3f}", f"{found['seconds']:.0f}"])
        print(rows[-1], flush=True)
    print(table(["", "loss", f"processor seconds to {GOAL} nats"], rows))


def step_parts(text: str, options: argparse.Namespace) -> None:
    """Milliseconds of the three parts of a step, by arithmetic, positions and optimiser, in turns."""
    kinds: dict[str, dict[str, Any]] = {
        "float32": {},
        "bf16": {"bf16": True},
        "bf16, no rotary positions": {"bf16": True, "positions": "sinusoidal"},
        "bf16, AdamW (torch's, one vector after another)": {"bf16": True, "optimizer": "adamw"},
    }
    codes, size = codes_of(text)
    taken: dict[str, list[list[float]]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, kind in kinds.items():
            taken[name].append(timed_steps(codes[: BATCH * (CONTEXT + 1)], size, **kind))
    rows = []
    for name, rounds in taken.items():
        found = [median(part) for part in zip(*rounds)]
        rows.append([name, *(f"{v:.1f}" for v in found), f"{sum(found):.1f}"])
    print(table(["ms a step", "forwards", "backwards", "update", "all"], rows))


def timed_steps(
    codes: Tensor, size: int, bf16: bool = False, positions: str = "rotary", optimizer: str = "muon"
) -> list[float]:
    """Processor milliseconds of the passes and the update, mean of 30 steps after 5."""
    from ganglion.models.language import LanguageNet
    from ganglion.objectives.language import NextToken
    from ganglion.optim.optimizers import make_optimizer

    torch.manual_seed(0)
    goal = NextToken(LanguageNet(size, units=WIDTH, layers=LAYERS, heads=HEADS, positions=positions))
    update = make_optimizer(optimizer, goal, 4e-3, 0.1, bf16=bf16)
    windows = codes.view(BATCH, CONTEXT + 1)
    batch, spent = {"x": windows[:, :-1], "y": windows[:, 1:]}, [0.0, 0.0, 0.0]
    for step in range(35):
        update.zero_grad()
        times = [time.process_time()]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = goal(batch, "train").loss.mean()
        for work in (lambda: None, loss.backward, update.step):
            work()
            times.append(time.process_time())
        if step >= 5:
            spent = [a + (c - b) / 30 * 1e3 for a, b, c in zip(spent, times, times[1:])]
    return spent


def write(text: str, options: argparse.Namespace) -> None:
    """256 tokens with the cache and without."""
    from ganglion.models.generate import generate

    model = LanguageModel(units=WIDTH, layers=LAYERS, heads=HEADS, context=256, max_steps=5).fit(
        text[:50_000]
    )
    prompt, rates = torch.full((1, 1), 10), {True: [], False: []}
    for _ in range(options.rounds):
        for cached, taken in rates.items():
            start = time.process_time()
            ask = model.module_.writing() if cached else model.module_.step
            generate(ask, prompt, length=255, context=256, cached=cached)
            taken.append(255 / (time.process_time() - start))
    with_, without = median(rates[True]), median(rates[False])
    print(
        table(
            ["cached", "not cached", "ratio"], [[f"{with_:.0f}", f"{without:.0f}", f"{with_ / without:.1f}"]]
        )
    )


def codes_of(text: str) -> tuple[Tensor, int]:
    """The text as codes of its characters."""
    known = {c: i for i, c in enumerate(sorted(set(text)))}
    return torch.tensor([known[c] for c in text]), len(known)


def main() -> None:
    """One part, by its name."""
    parts = {"quality": quality, "speed": speed, "time": time_to, "generate": write, "parts": step_parts}
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("part", choices=parts)
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--steps", type=int, nargs="+", default=[400, 500])
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--precision", default="auto", help="of our fits: auto, float32 or bf16")
    ask.add_argument("--compiled", action=argparse.BooleanOptionalAction, default=True)
    options = ask.parse_args()
    torch.set_num_threads(options.threads)
    parts[options.part](shakespeare(), options)
    print(f"{options.threads} thread(s); {machine()}")


if __name__ == "__main__":
    main()
