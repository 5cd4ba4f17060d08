"""The command ``ganglion``: only translates words into calls; everything heavy is imported late."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ganglion.cli.flags import with_flags
from ganglion.cli.out import INTERRUPTED, fail, say

app = typer.Typer(
    name="ganglion",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Neural networks from your data: trained, diagnosed with a remedy, saved safely.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def option(*names: str, say: str) -> Any:
    """An option that shows no default."""
    return typer.Option(*names, help=say, show_default=False)


Model = Annotated[Path, typer.Argument(help="a *.ganglion file", show_default=False)]
Passed = Annotated[
    Path,
    typer.Argument(help="a table with the model's columns; a folder of pictures, or one", show_default=False),
]
New = Annotated[
    list[Path],
    typer.Argument(help="a table with the model's columns; pictures or folders of them", show_default=False),
]
Truth = Annotated[
    Path,
    typer.Argument(
        help="a table with the model's columns and target; a folder of class folders", show_default=False
    ),
]
Data = Annotated[
    Path,
    typer.Argument(help="a table (CSV, TSV, Parquet or JSON lines), or a folder with a folder of pictures per class",
                   show_default=False),
]  # fmt: skip
Image = Annotated[
    str | None, option("--image", say="the column with the paths of pictures, from the table's folder on")
]
Network = Annotated[
    str | None,
    option("--model", say="the network: mlp for tables; cnn (first choice) or resnet for pictures"),
]
Folder = Annotated[Path, typer.Argument(help="where to look")]
Json = Annotated[bool, option("--json", say="print one JSON object for machines")]
Quiet = Annotated[bool, option("--quiet", "-q", say="print nothing but errors")]
Seconds = Annotated[float | None, option("--time-limit", say="seconds for the whole job")]
Other = Annotated[str | None, option("--target", "-t", say="the column's name, if it is called otherwise")]
Target = Annotated[str | None, option("--target", "-t", say="the column to predict; several by commas")]
ModelOut = Annotated[
    Path | None,
    option(
        "--output", "-o", say="the model file (beside the data: NAME.ganglion); the report stands beside it"
    ),
]
Predictions = Annotated[Path | None, option("--output", "-o", say="a CSV file (printed if not given)")]
Page = Annotated[Path | None, option("--output", "-o", say="the report (beside the model: NAME.html)")]
Task = Annotated[str | None, option("--task", say="classification or regression, if the guess is wrong")]
Heal = Annotated[bool, option("--heal", say="apply the first remedy, train again, keep the better network")]
Fraction = Annotated[float, typer.Option("--test-fraction", help="share of rows kept aside for the scores")]
Group = Annotated[str | None, option("--group", say="a column whose values are never parted by the split")]
Time = Annotated[str | None, option("--time", say="a column by which the last rows are the test")]
Ignore = Annotated[str | None, option("--ignore", say="columns to leave out, by commas")]
Header = Annotated[
    bool | None, option("--header/--no-header", say="whether the first row holds names (found out)")
]
Balanced = Annotated[bool, option("--balanced", say="weigh classes by their inverse frequency")]
Seed = Annotated[int, typer.Option("--seed", help="of everything random")]
Report = Annotated[bool, option("--report/--no-report", say="write the HTML report, or not")]
Baselines = Annotated[
    bool, option("--baselines/--no-baselines", say="train dummy, linear and tree baselines beside it, or not")
]
Proba = Annotated[bool, option("--proba", say="add a probability per class")]
Rows = Annotated[
    int | None,
    typer.Option(
        "--rows",
        min=1,
        help="how many rows, from the first on (32); of a folder evenly chosen pictures",
        show_default=False,
    ),
]
Row = Annotated[int | None, option("--row", say="only this row or picture, counted from 1")]
Neurons = Annotated[bool, option("--neurons", say="every neuron of a small network, for the first row")]
Drawing = Annotated[Path | None, option("--output", "-o", say="also write a figure (.svg) or a page (.html)")]
Version = Annotated[bool, option("--version", say="show the version and exit")]


@app.command("fit", short_help="Train on a table or pictures; write a model and a report.")
@with_flags
def fit_command(
    file: Data,
    target: Target = None,
    image: Image = None,
    model: Network = None,
    output: ModelOut = None,
    task: Task = None,
    time_limit: Seconds = None,
    heal: Heal = False,
    test_fraction: Fraction = 0.2,
    group: Group = None,
    time: Time = None,
    ignore: Ignore = None,
    header: Header = None,
    balanced: Balanced = False,
    seed: Seed = 0,
    report: Report = True,
    baselines: Baselines = True,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    parameters: Any = None,
) -> None:
    """Train a network on a table or on pictures, compare it with baselines, diagnose it, write model and report.

    Ctrl-C ends the training early: the best weights so far are kept and written.
    """
    from ganglion.cli.fit import run_fit

    parameters = {**parameters, "random_state": seed} if seed else parameters
    if balanced:
        parameters["class_weight"] = "balanced"
    job = {
        "image": image,
        "model": model,
        "task": task,
        "ignore": names(ignore),
        "header": header,
        "time_limit": time_limit,
    }
    job |= {"heal_first": heal, "compare": baselines, "test_fraction": test_fraction}
    job |= {"group": group, "time_column": time}
    run_fit(file, target, output, job, parameters, report=report, as_json=as_json, quiet=quiet)


def names(text: str | None) -> list[str]:
    """The names in a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


@app.command(short_help="Predict the rows of a table, or pictures.")
def predict(
    model: Model,
    file: New,
    image: Image = None,
    output: Predictions = None,
    proba: Proba = False,
    as_json: Json = False,
) -> None:
    """Predict the rows of a table, or pictures; warn of unseen categories, drift and broken files."""
    from ganglion.cli.use import run_predict

    run_predict(model, file, output, image=image, proba=proba, as_json=as_json)


@app.command(short_help="Score a model on data that hold the truth.")
def evaluate(
    model: Model, file: Truth, target: Other = None, image: Image = None, as_json: Json = False
) -> None:
    """Score a model on a table or a folder of class folders that holds the truth, with intervals."""
    from ganglion.cli.use import run_evaluate

    run_evaluate(model, file, target, image=image, as_json=as_json)


@app.command(short_help="Say what went wrong in training, and what to do.")
def diagnose(model: Model, as_json: Json = False) -> None:
    """Say what went wrong in a model's training, by which numbers, and what to do about it."""
    from ganglion.cli.use import run_diagnose

    run_diagnose(model, as_json=as_json)


@app.command(short_help="Lay one forward and one backward pass open.")
def trace(
    model: Model,
    file: Passed,
    rows: Rows = None,
    row: Row = None,
    target: Other = None,
    image: Image = None,
    neurons: Neurons = False,
    as_json: Json = False,
    output: Drawing = None,
) -> None:
    """Lay one forward and one backward pass open: sums, activations, local derivatives, gradients, layer by layer.

    Where the table has no target, or pictures lie in no class folders, the sum of the outputs is the loss.
    """
    from ganglion.cli.trace import run_trace

    if row is not None and row < 1:
        raise typer.BadParameter(f"--row counts from 1, got {row}")
    chosen = {"rows": rows, "row": row, "target": target, "image": image}
    run_trace(model, file, **chosen, neurons=neurons, as_json=as_json, output=output)


@app.command(short_help="Write the HTML report of a model on some data.")
def report(model: Model, file: Truth, output: Page = None, target: Other = None, image: Image = None) -> None:
    """Write the HTML report of a model on a table or a folder of class folders that holds the truth."""
    from ganglion.cli.use import run_report

    run_report(model, file, output, target, image=image)


@app.command("list", short_help="List the model files of a folder.")
def list_command(folder: Folder = Path(), as_json: Json = False) -> None:
    """List the model files of a folder with what they predict and how well."""
    from ganglion.cli.use import run_list

    run_list(folder, as_json=as_json)


@app.command(short_help="Run the main job on a census sample.")
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the two files")] = Path(
        "demo-output"
    ),
    time_limit: Seconds = None,
) -> None:
    """Run the main job on the census sample that comes with Ganglion."""
    from ganglion.cli.fit import run_demo

    run_demo(output, time_limit)


lab = typer.Typer(rich_markup_mode=None, help="Put a statement of the syllabus to a measured test.")
app.add_typer(lab, name="lab", short_help="Put a statement of the syllabus to a measured test.")


@lab.callback(invoke_without_command=True)
def lab_root(context: typer.Context) -> None:
    """Put a statement of the syllabus to a measured test; without a word more, list the experiments."""
    if context.invoked_subcommand is None:
        from ganglion.cli.lab import run_list

        run_list(as_json=False)


@lab.command("list", short_help="List the experiments and their claims.")
def lab_list(as_json: Json = False) -> None:
    """List the experiments with the statement that each puts to a test."""
    from ganglion.cli.lab import run_list

    run_list(as_json=as_json)


@lab.command("run", short_help="Run an experiment: its numbers, checks and verdict.")
def lab_run(
    name: Annotated[str, typer.Argument(help="an experiment's name", show_default=False)],
    seed: Seed = 0,
    quick: Annotated[bool, option("--quick", say="the reduced form, in about a second")] = False,
    output: Annotated[
        Path | None, option("--output", "-o", say="write the figure: .png, .svg or .pdf")
    ] = None,
    as_json: Json = False,
) -> int:
    """Run an experiment and print its numbers with their spread, its checks and its verdict."""
    from ganglion.cli.lab import run_one

    return run_one(name, seed, output, quick=quick, as_json=as_json)


@app.command(short_help="Show versions and devices, train for three seconds.")
def doctor(as_json: Json = False) -> None:
    """Show versions and devices, and train a small network for about three seconds."""
    from ganglion.cli.doctor import run_doctor

    run_doctor(as_json=as_json)


@app.callback(invoke_without_command=True)
def root(context: typer.Context, version: Version = False) -> None:
    """Neural networks from your data: trained, diagnosed with a remedy, saved safely."""
    if version:
        from ganglion.base.version import VERSION

        say(f"ganglion {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 0, 2 for a wrong input (one sentence), 130 for Ctrl-C, 1 for our fault."""
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except (typer.Exit, typer.Abort, KeyboardInterrupt) as done:
        code = getattr(done, "exit_code", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("GANGLION_TRACEBACK"):
            raise
        text = sentence(error)
        return fail(text or fault(error), code=2 if text else 1)
    return fail("interrupted before anything was written.", code) if code == INTERRUPTED else code


def sentence(error: Exception) -> str:
    """One sentence for a wrong input, nothing for anything else."""
    from ganglion.base.errors import GanglionError

    if hasattr(error, "format_message"):  # the command line itself was wrong
        return f"{error.format_message().rstrip('.')}; see ganglion --help."
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        return f"{error.filename}: {reason}." if error.filename else f"{reason}."
    if isinstance(error, MemoryError):
        return "there is not enough memory for this; take fewer rows or a smaller network."
    if isinstance(error, GanglionError | ImportError):
        return " ".join(str(error).split())
    return ""


def fault(error: Exception) -> str:
    """What to say when Ganglion itself failed."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return (
        f"this is a fault of Ganglion, not of your input ({reason}); please report it "
        "(with GANGLION_TRACEBACK=1 it shows where)."
    )


if __name__ == "__main__":
    sys.exit(main())
