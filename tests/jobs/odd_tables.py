"""Tables that can be read but are odd to learn from: a name, a file's name and content, a target, more flags."""

import io
import json
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Case = tuple[str, str, bytes, str, list[str]]
N = 40


def csv(header: list[str], rows: list[list[object]]) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in [header, *rows]).encode("utf-8", "surrogatepass")


def with_target(values: list[object], rng: np.random.Generator) -> bytes:
    """Two sound inputs and this target."""
    rows = [[f"{rng.normal():.3f}", rng.choice(["a", "b"]), value] for value in values]
    return csv(["x", "c", "y"], rows)


def with_input(values: list[object], rng: np.random.Generator) -> bytes:
    """This input alone, and a sound target."""
    return csv(["x", "y"], [[value, rng.choice(["no", "yes"])] for value in values])


TARGETS: dict[str, Callable[[np.random.Generator], list[object]]] = {
    "constant word": lambda rng: ["same"] * N,
    "constant number": lambda rng: [3.5] * N,
    "one row of another class": lambda rng: ["b"] + ["a"] * (N - 1),
    "two rows of another class": lambda rng: ["b"] * 2 + ["a"] * (N - 2),
    "every class once": lambda rng: [f"k{i}" for i in range(N)],
    "every class twice": lambda rng: [f"k{i // 2}" for i in range(N)],
    "dates": lambda rng: [f"2020-01-{1 + i % 28:02d}" for i in range(N)],
    "all missing": lambda rng: ["?"] * N,
    "all but one missing": lambda rng: ["?"] * (N - 1) + ["a"],
    "all but ten missing": lambda rng: ["?"] * (N - 10) + ["a", "b"] * 5,
    "infinite": lambda rng: [*rng.normal(size=N - 1), "inf"],
    "huge numbers": lambda rng: list(rng.normal(size=N) * 1e300),
    "huge apart": lambda rng: [*rng.normal(size=N - 1), 1e308],
    "tiny numbers": lambda rng: list(rng.normal(size=N) * 1e-300),
    "nearly constant": lambda rng: [1e9 + i * 1e-7 for i in range(N)],
    "one outlier": lambda rng: [0.0] * (N - 1) + [1e12],
    "whole numbers": lambda rng: list(range(N)),
    "negative zero": lambda rng: ["-0.0", "0.0"] * (N // 2),
    "truth with gaps": lambda rng: list(rng.choice(["true", "false", ""], N)),
    "words and numbers": lambda rng: list(rng.choice(["1", "2", "three"], N)),
    "signs": lambda rng: list(rng.choice(["=1+1", "@x", "-y", "+z"], N)),
    "long labels": lambda rng: list(rng.choice(["a" * 50_000, "b" * 50_000], N)),
    "blanks": lambda rng: list(rng.choice([" a", "a ", "b", " b "], N)),
    "control signs": lambda rng: list(rng.choice(["\x1b[2J", "\x07", "ok"], N)),
    "markup": lambda rng: list(rng.choice(["<script>alert(1)</script>", "{{7*7}}", "${x}"], N)),
    "right to left": lambda rng: list(rng.choice(["\u202eabc", "\u0627", "\U0001f986"], N)),
    "decimal commas": lambda rng: [f'"{i},{i}"' for i in range(N)],
    "percent": lambda rng: [f"{i} %" for i in range(N)],
    "hundred digits": lambda rng: ["9" * 100 + str(i) for i in range(N)],
}

INPUTS: dict[str, Callable[[np.random.Generator], list[object]]] = {
    "constant": lambda rng: ["same"] * N,
    "all missing": lambda rng: ["?"] * N,
    "identifier": lambda rng: [f"id-{i:05d}" for i in range(N)],
    "free text": lambda rng: [f"the quick brown fox number {i} jumps over it" for i in range(N)],
    "infinite": lambda rng: ["inf", *range(N - 1)],
    "largest floats": lambda rng: [1.7e308, -1.7e308] * (N // 2),
    "smallest floats": lambda rng: [5e-324, 0] * (N // 2),
    "squares overflow": lambda rng: [f"{v}e149" for v in range(N)],
    "one value": lambda rng: [7] + ["?"] * (N - 1),
    "only last differs": lambda rng: [0] * (N - 1) + [1],
    "dates before Christ": lambda rng: [f"0001-01-{1 + i % 28:02d}" for i in range(N)],
    "dates of the far future": lambda rng: [f"9999-12-{1 + i % 28:02d}" for i in range(N)],
    "strange dates": lambda rng: [f"{1 + i % 31}/{1 + i % 13}/20{i:02d}" for i in range(N)],
    "mixed kinds": lambda rng: ["1", "x", "2020-01-01", "true"] * (N // 4),
    "long words": lambda rng: [rng.choice(["a" * 100_000, "b"]) for _ in range(N)],
    "units": lambda rng: [f"{i} kg" for i in range(N)],
}

NAMES = [
    "",
    " ",
    "y,y",
    "a\nb",
    "=cmd",
    "'",
    '"',
    "\x1b[31m",
    "é" * 500,
    "../x",
    "--target",
    "-",
    "None",
    "ÿ",
    "0",
]


def targets(rng: np.random.Generator) -> Iterator[Case]:
    for name, make in TARGETS.items():
        for task in ([], ["--task", "classification"], ["--task", "regression"]):
            yield f"target {name} {task[-1:]}", "t.csv", with_target(make(rng), rng), "y", task


def inputs(rng: np.random.Generator) -> Iterator[Case]:
    for name, make in INPUTS.items():
        for extra in ([], ["--preprocess", "none"], ["--impute", "knn"], ["--impute", "iterative"]):
            yield f"input {name} {extra[-1:]}", "t.csv", with_input(make(rng), rng), "y", extra


def names(rng: np.random.Generator) -> Iterator[Case]:
    for name in NAMES:
        rows = [{"x": float(rng.normal()), name: bool(rng.random() < 0.5)} for _ in range(N)]
        data = "\n".join(map(json.dumps, rows)).encode()
        yield f"target called {name[:9]!r}", "t.jsonl", data, name, []
        yield f"column called {name[:9]!r}", "t.jsonl", data, "x", []


def sizes(rng: np.random.Generator) -> Iterator[Case]:
    for n in (0, 1, 2, 3, 9, 10, 11, 12):
        yield f"{n} rows", "t.csv", with_target([rng.normal() for _ in range(n)], rng), "y", []
        yield f"{n} rows of classes", "t.csv", with_target(["a", "b"] * (n // 2), rng), "y", []
    for n in (400, 3000):
        header = [f"c{i}" for i in range(n)] + ["y"]
        rows = [[*rng.integers(0, 9, n), rng.choice(["no", "yes"])] for _ in range(12)]
        yield f"{n} columns", "t.csv", csv(header, rows), "y", []
    yield "100,000 columns", "t.csv", csv([f"c{i}" for i in range(100_000)], [[1] * 100_000] * 2), "c3", []
    yield "a target alone", "t.csv", csv(["y"], [[i % 2] for i in range(N)]), "y", []
    yield "the same target twice", "t.csv", with_target([1, 2] * 20, rng), "y,y", []
    yield "all columns as targets", "t.csv", csv(["x", "y"], [[1.5, i] for i in range(N)]), "x,y", []
    yield "a word among targets", "t.csv", with_target([1.5, 2] * 20, rng), "c,y", []
    yield "a target that is ignored", "t.csv", with_target([1, 2] * 20, rng), "y", ["--ignore", "y"]
    yield "all inputs ignored", "t.csv", with_target([1, 2] * 20, rng), "y", ["--ignore", "x,c"]


def flags(rng: np.random.Generator) -> Iterator[Case]:
    """Sound tables under absurd flags."""
    data = with_target(["no", "yes"] * 20, rng)
    absurd = {
        "--test-fraction": ["0", "1", "-1", "nan", "0.999", "1e-9", "x"],
        "--time-limit": ["0", "-1", "nan", "inf", "1e-9", "x"],
        "--seed": ["-1", "99999999999999999999", "x"],
        "--group": ["x", "nope", "y", ""],
        "--time": ["c", "nope", "x", "y"],
        "--ignore": ["nope", ",,,"],
        "--lr": ["0", "nan", "inf", "1e400", "1e300", "-1", "none", "0.1,0.2"],
        "--batch-size": ["0", "-3", "1.5", "all", "1" + "0" * 400],
        "--hidden-layer-sizes": ["", "0", "-1", "4,x", "1e9", "none", "8,,8"],
        "--dropout": ["1", "-0.1", "nan"],
        "--validation-fraction": ["1", "0.99", "1e-12", "-1"],
        "--optimizer": ["adamw2", "", "os.system"],
        "--activation": ["__import__", "relu "],
        "--schedule": ["../x"],
        "--device": ["tpu9", "cuda:99", "meta", "", "'"],
        "--precision": ["int8"],
        "--clip-norm": ["0", "-1"],
        "--accumulate": ["0", "1.5"],
        "--patience": ["0"],
        "--label-smoothing": ["1", "2"],
        "--impute": ["guess"],
        "--task": ["cluster", ""],
        "--nonsense": ["1"],
        "--checkpoint": ["/proc/nope"],
    }
    for flag, values in absurd.items():
        for value in values:
            yield f"{flag} {value[:9]}", "t.csv", data, "y", [flag, value]
    yield "resume without a folder", "t.csv", data, "y", ["--resume"]
    yield "group and time", "t.csv", data, "y", ["--group", "c", "--time", "x"]


def parquet(rng: np.random.Generator) -> Iterator[Case]:
    """Typed columns that CSV cannot hold."""
    y = list(rng.choice(["no", "yes"], N))
    kinds = {
        "lists": pa.array([[1, 2]] * N),
        "maps": pa.array([{"a": 1}] * N),
        "binary": pa.array([b"\xff\x00"] * N),
        "decimals": pa.array(range(N), pa.decimal128(38, 10)),
        "times": pa.array(range(N), pa.time64("us")),
        "durations": pa.array(range(N), pa.duration("ns")),
        "nulls": pa.nulls(N),
        "moments": pa.array([2**62 + i for i in range(N)], pa.timestamp("s")),
        "zoned moments": pa.array(range(N), pa.timestamp("us", "Europe/Berlin")),
        "half floats": pa.array(np.arange(N, dtype=np.float16)),
        "large whole numbers": pa.array([2**63 - 1 - i for i in range(N)]),
        "categories": pa.array(list("ab") * (N // 2)).dictionary_encode(),
    }
    for name, column in kinds.items():
        for target in ("y", "x"):
            stream = io.BytesIO()
            try:
                pq.write_table(pa.table({"x": column, "z": rng.normal(size=N), "y": y}), stream)
            except pa.ArrowException:
                continue
            yield f"parquet {name}, target {target}", "t.parquet", stream.getvalue(), target, []


def cases(seed: int = 0) -> list[Case]:
    """All odd tables."""
    rng = np.random.default_rng(seed)
    return [case for make in (targets, inputs, names, sizes, flags, parquet) for case in make(rng)]
