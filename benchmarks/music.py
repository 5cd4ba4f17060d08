"""Bach's chorales by ``LanguageModel``: nats per step beside a bigram of each voice, and a chorale made up.

    python benchmarks/music.py fit --model chorales.ganglion [--seed 0] [--set NAME=VALUE ...]
    python benchmarks/music.py quality --model chorales.ganglion [--test]
    python benchmarks/music.py generate --model chorales.ganglion

382 chorales of four voices in sixteenths, split as given: 229 to learn from, 76 that choose the settings and the epoch,
77 to test, which are only read with ``--test``. ``fit`` learns from the 229 and their transpositions by up to six
semitones in which each voice keeps to its range.

Nats per step are ``-log P`` of whole pieces over the number of their steps, all voices together. The model tells the
words of ``Events``: who begins which note, and how many steps pass. Every piece is exactly one text of words, and texts
of words that no piece has only take probability away; so what is printed for the model is at least its ``-log P`` of
the steps, and the model's also pays for each piece's end. The bigram tells every voice from its own last note, with one
added to each count, and pays for no end. ``transitions`` is the bigram's number where first steps are not counted.
"""

import argparse
import csv
import io
import tarfile
from pathlib import Path

import numpy as np
from _shared import ROOT, data_folder, machine, setting, table
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ganglion import LanguageModel, load
from ganglion.data.midi import write_midi
from ganglion.data.music import SILENT, Events, Piece, read_piece, transposed
from ganglion.data.tokens import UNKNOWN
from ganglion.plot.style import GRID, INK, MUTED, SERIES, SIZE, quiet

SETTINGS = {"tokens": "words", "context": 256, "batch_size": 8, "dropout": 0.1, "max_epochs": 10}
SEMITONES = 6
OVERLAP = 0.5  # of the windows that a long piece is told in
BAR = 16
SINGERS = ("soprano", "alto", "tenor", "bass")


def chorales(part: str) -> list[Piece]:
    """The pieces of ``train``, ``valid`` or ``test``, in the order of their numbers."""
    with tarfile.open(data_folder() / "jsb_chorales" / "jsb_chorales.tgz") as archive:
        files = sorted(name for name in archive.getnames() if f"{part}/chorale_" in name)
        texts = [archive.extractfile(file).read().decode() for file in files]
    return [
        read_piece([list(map(int, row)) for row in list(csv.reader(io.StringIO(text)))[1:]]) for text in texts
    ]


def bigram(learned: list[Piece], asked: list[Piece]) -> tuple[float, float]:
    """Nats of all steps, and of those behind the first, by a bigram of each voice's notes with one added."""
    first = behind = 0.0
    for voice in range(len(SINGERS)):
        ours, theirs = ([piece[:, voice] for piece in part] for part in (learned, asked))
        notes = np.unique(np.concatenate([*ours, *theirs]))
        counts = np.ones((len(notes) + 1, len(notes)))  # the last row tells first notes
        for line in ours:
            codes = np.searchsorted(notes, line)
            np.add.at(counts, ([len(notes), *codes[:-1]], codes), 1)
        losses = -np.log(counts / counts.sum(1, keepdims=True))
        for line in theirs:
            codes = np.searchsorted(notes, line)
            first += losses[-1, codes[0]]
            behind += losses[codes[:-1], codes[1:]].sum()
    return first + behind, behind


def fit(options: argparse.Namespace) -> None:
    """Learn, and save the model."""
    train, valid = chorales("train"), chorales("valid")
    events, more = Events.fitting(train), transposed(train, SEMITONES)
    texts = [events.to_text(piece) for piece in [*more, *valid]]
    chosen = {**SETTINGS, **dict(options.set)}
    model = LanguageModel(**chosen, random_state=options.seed, verbose=1)
    model.fit(texts, validation=np.arange(len(texts)) >= len(more))
    print(f"seed {options.seed}: {len(more)} pieces of {model.record_.data['n_train']:,} words, "
          f"{model.record_size():,} weights, {model.record_.seconds:.0f} s, epoch {model.best_epoch_}")  # fmt: skip
    model.save(options.model)


def quality(options: argparse.Namespace) -> None:
    """Print nats per step."""
    model, train = load(options.model), chorales("train")
    events = Events.fitting(train)
    asked = chorales("test" if options.test else "valid")
    texts, steps = [events.to_text(piece) for piece in asked], sum(map(len, asked))
    if any((model.tokenizer_.encode(text) == UNKNOWN).any() for text in texts):
        raise SystemExit("a word was never learned, so that texts do not tell pieces; transpose further.")
    whole, behind = bigram(train, asked)
    found = -model.score_samples(texts, overlap=OVERLAP).sum()
    rows = [
        ["bigram of each voice", f"{whole / steps:.3f}", f"{behind / (steps - len(asked)):.3f}"],
        ["`LanguageModel`", f"**{found / steps:.3f}**", ""],
    ]
    print(f"{len(asked)} pieces, {steps:,} steps\n")
    print(table(["", "nats per step", "transitions"], rows))


def generate(options: argparse.Namespace) -> None:
    """Make up a chorale; write its picture and its MIDI file."""
    model, events = load(options.model), Events.fitting(chorales("train"))
    text = model.generate(length=800, stop=True, temperature=0.9, top_p=0.95, random_state=options.seed)
    piece = events.from_text(text)
    print(f"{len(piece)} steps: {' '.join(text.split()[:24])} ...")
    pictures, files = ROOT / "docs" / "images", ROOT / "docs" / "music"
    files.mkdir(exist_ok=True)
    write_midi(files / "chorale.mid", piece, tempo=80)
    draw(piece, pictures / "chorale.png")


def draw(piece: Piece, path: Path, bars_a_row: int = 8) -> None:
    """Rows of bars; each voice's notes in its colour."""
    across = bars_a_row * BAR
    rows = -(-len(piece) // across)
    figure = Figure(figsize=(10, 0.5 + 2.1 * rows), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    sung = piece[piece != SILENT]
    for row, ax in enumerate(np.ravel(figure.subplots(rows, 1, sharey=True))):
        draw_bars(ax, piece[row * across : (row + 1) * across], row * bars_a_row)
        ax.set(xlim=(-0.5, across + 0.5), ylim=(sung.min() - 1.5, sung.max() + 1.5))
    names = [figure.axes[0].plot([], [], color=c, linewidth=5, label=s)[0] for c, s in zip(SERIES, SINGERS)]
    legend = figure.legend(handles=names, loc="outside upper center", ncols=4, frameon=False, fontsize=SIZE)
    for text in legend.get_texts():
        text.set_color(INK)
    figure.savefig(path, dpi=100)


def draw_bars(ax: Axes, piece: Piece, before: int) -> None:
    """Some bars, with ``before`` of them in front."""
    quiet(ax, grid="")
    for bar in range(len(piece) // BAR + 1):
        ax.axvline(bar * BAR, color=GRID, linewidth=0.8, alpha=0.6, zorder=0)
        if bar * BAR < len(piece):
            ax.text(bar * BAR + 0.6, 1.0, str(before + bar + 1), transform=ax.get_xaxis_transform(), color=MUTED,
                    fontsize=SIZE - 2, va="bottom")  # fmt: skip
    for note in range(36, 85, 12):
        ax.axhline(note, color=GRID, linewidth=0.5, alpha=0.35, zorder=0)
    for voice, colour in enumerate(SERIES):
        line = piece[:, voice]
        starts = np.flatnonzero(np.diff(line, prepend=SILENT - 1))
        for start, end in zip(starts, [*starts[1:], len(line)]):
            if line[start] != SILENT:
                ax.barh(line[start], end - start - 0.3, left=start + 0.15, height=0.95, color=colour)
    ax.set_yticks(range(36, 85, 12), [f"C{octave}" for octave in range(2, 7)])
    ax.set_xticks([])


def main() -> None:
    """One part, by its name."""
    parts = {"fit": fit, "quality": quality, "generate": generate}
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("part", choices=parts)
    ask.add_argument("--model", type=Path, required=True, help="where the fitted model lies")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--test", action="store_true", help="judge on the test pieces")
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    options = ask.parse_args()
    parts[options.part](options)
    print(machine())


if __name__ == "__main__":
    main()
