"""What the tokenisers take and make of the 25,000 training reviews of IMDB: the table of docs/tokenisers.md.

    python benchmarks/tokenisers.py [--names characters "words(20000)" ...]

Processor seconds of learning and of encoding all; codes, codes a text, the share unknown, and the state as JSON.
"""

import argparse
import json

from _shared import machine, table, timed
from text_classification import imdb

from ganglion.data.tokens import UNKNOWN, tokenizer_named

NAMES = (
    "characters", "bytes", "words(20000)", "words(20000, lower=True)",
    "words(20000, lower=True, ngrams=2, min_count=2)", "bpe(8000)",
)  # fmt: skip


def main() -> None:
    """Each tokeniser once; print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--names", nargs="+", default=NAMES)
    texts, rows = imdb()[0], []
    for name in ask.parse_args().names:
        tokenizer, found = tokenizer_named(name), []
        learned = timed(lambda: tokenizer.learn(texts))[1]  # noqa: B023 - called at once
        encoded = timed(lambda: found.append(tokenizer.encode_all(texts)))[1]  # noqa: B023
        codes = found[0][0]
        state = len(json.dumps(tokenizer.state()).encode()) / 1e6
        unknown = f"{100 * (codes == UNKNOWN).mean():.2f} %"
        rows.append([f"`{name}`", f"{learned:.1f}", f"{encoded:.1f}", f"{tokenizer.size:,}",
                     f"{len(codes) / len(texts):.0f}", unknown, f"{state:.2f}"])  # fmt: skip
        print(rows[-1], flush=True)
    head = ["tokeniser", "learn, s", "encode all, s", "size", "codes a text", "unknown", "state, MB"]
    print(table(head, rows))
    print(machine())


if __name__ == "__main__":
    main()
