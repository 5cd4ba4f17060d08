"""``docs/lab.md`` and its figures, written from a full run of every experiment: ``make lab``."""

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import get_args

from ganglion.lab import experiments, run
from ganglion.lab.experiment import Topic
from ganglion.lab.result import Result, columns_of, in_words

SECONDS = 30.0  # an experiment's full run on two cores stays below

HEAD = """# The lab

Every statement below was put to a test that anyone can run again: `ganglion lab run NAME`, or
`ganglion.lab.run(name)` in Python (`seed=` draws other numbers, `quick=True` is the reduced form that the test
suite runs under a new seed for every commit). Numbers are means ± standard deviation over seeds. This page is
written by `make lab` from seed {seed}; every verdict follows from the checks below its table.

A claim **holds**, **holds when** its condition is met, or **does not hold**: then the reading says what is true
instead. *Corrects* names wrong or contested statements of the syllabus that the experiment puts right.
"""


def entry(result: dict, figure: str) -> str:
    """One experiment as Markdown."""
    lines = [f"### {result['name']}", "", f"**Claim.** {result['claim']}", ""]
    lines += [
        f"**Verdict: {result['verdict']}.** {result['reading']}",
        "",
        f"*Method.* {result['method']}",
        "",
    ]
    lines += [result["numbers"], "", f"![{result['name']}]({figure})", ""]
    lines += [f"* {'✓' if check['holds'] else '✗'} {check['sentence']}" for check in result["checks"]]
    about = [f"`ganglion lab run {result['name']}`, {result['seconds']:.0f} s"]
    about += [f"corrects {', '.join(result['corrects'])}"] if result["corrects"] else []
    about += ["; ".join(result["sources"])] if result["sources"] else []
    return "\n".join([*lines, "", " · ".join(about), ""])


def numbers_table(table: dict) -> str:
    """An experiment's numbers as a Markdown table."""
    columns = columns_of(table)
    rows = [["", *columns], ["---", *["---:"] * len(columns)]]
    rows += [
        [row, *(in_words(cells[c]) if c in cells else "" for c in columns)] for row, cells in table.items()
    ]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def one(name: str, seed: int, folder: str) -> dict:
    """Run an experiment in full, write its figure, return what the page needs."""
    result: Result = run(name, seed=seed)
    ax = result.plot()
    ax.figure.savefig(Path(folder) / f"{name}.png", dpi=110, facecolor="white")
    return result.to_dict() | {"numbers": numbers_table(result.shown.table)}


def page(results: Iterable[dict], folder: str, seed: int) -> str:
    """The whole page."""
    by_topic: dict[str, list[dict]] = {topic: [] for topic in get_args(Topic)}
    for result in results:
        by_topic[result["topic"]].append(result)
    lines = [HEAD.format(seed=seed), "| experiment | claim | verdict |", "|---|---|---|"]
    for found in by_topic.values():
        for r in found:
            lines.append(f"| [{r['name']}](#{r['name']}) | {r['claim']} | {r['verdict']} |")
    for topic, found in by_topic.items():
        if found:
            lines += ["", f"## {topic.capitalize()}", ""]
            lines += [entry(r, f"{folder}/{r['name']}.png") for r in found]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run every experiment (or those named) and write the page; 1 if one is not shown or takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the page; figures go into a folder of its name beside it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    folder = chosen.file.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    names = list(experiments())
    with ProcessPoolExecutor(chosen.processes) as pool:
        count = len(names)
        results = list(pool.map(one, names, [chosen.seed] * count, [str(folder)] * count))
    chosen.file.write_text(page(results, folder.name, chosen.seed), encoding="utf-8")
    wrong = [r["name"] for r in results if r["verdict"] == "not shown"]
    slow = [f"{r['name']} ({r['seconds']:.0f} s)" for r in results if r["seconds"] > SECONDS]
    for word, found in (("not shown", wrong), ("too slow", slow)):
        if found:
            sys.stderr.write(f"{word}: {', '.join(found)}\n")
    return int(bool(wrong or slow))


if __name__ == "__main__":
    sys.exit(main())
