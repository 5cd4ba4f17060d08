"""The command ``ganglion``: only translates words into calls; everything heavy is imported late."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ganglion.cli.flags import with_flags
from ganglion.cli.out import fail, say

app = typer.Typer(
    name="ganglion",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Neural networks from your data: trained, diagnosed with a remedy, saved safely.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[Path, typer.Argument(help="a *.ganglion file", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object for machines")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print nothing but errors")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="where to write", show_default=False)]


@app.command("fit")
@with_flags
def fit_command(
    file: Annotated[Path, typer.Argument(help="a table: CSV, TSV, Parquet or JSON lines", show_default=False)],
    target: Annotated[str | None, typer.Option("--target", "-t", help="the column to predict; several by commas", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the model file (default: beside the data, NAME.ganglion); the report stands beside it", show_default=False)] = None,
    task: Annotated[str | None, typer.Option("--task", help="classification or regression, if the guess is wrong", show_default=False)] = None,
    time_limit: Annotated[float | None, typer.Option("--time-limit", help="seconds for the whole job", show_default=False)] = None,
    heal: Annotated[bool, typer.Option("--heal", help="apply the first remedy, train again, keep the better network")] = False,
    test_fraction: Annotated[float, typer.Option("--test-fraction", help="share of rows kept aside for the scores")] = 0.2,
    group: Annotated[str | None, typer.Option("--group", help="a column whose values are never parted", show_default=False)] = None,
    time: Annotated[str | None, typer.Option("--time", help="a column by which the last rows are the test", show_default=False)] = None,
    ignore: Annotated[str | None, typer.Option("--ignore", help="columns to leave out, by commas", show_default=False)] = None,
    header: Annotated[bool | None, typer.Option("--header/--no-header", help="whether the first row holds names (found out)", show_default=False)] = None,
    balanced: Annotated[bool, typer.Option("--balanced", help="weigh classes by their inverse frequency")] = False,
    seed: Annotated[int, typer.Option("--seed", help="of everything random")] = 0,
    report: Annotated[bool, typer.Option("--report/--no-report", help="write the HTML report")] = True,
    baselines: Annotated[bool, typer.Option("--baselines/--no-baselines", help="train dummy, linear and tree baselines beside it")] = True,
    as_json: Json = False,
    quiet: Quiet = False,
    *,
    parameters: Any = None,
) -> None:  # fmt: skip
    """Train a network on a table, compare it with baselines, diagnose it, write a model file and a report."""
    from ganglion.cli.fit import run_fit

    parameters = {**parameters, "random_state": seed} if seed else parameters
    if balanced:
        parameters["class_weight"] = "balanced"
    job = {
        "task": task,
        "test_fraction": test_fraction,
        "group": group,
        "time_column": time,
        "header": header,
    }
    job |= {"ignore": [c.strip() for c in ignore.split(",")] if ignore else [], "time_limit": time_limit}
    job |= {"heal_first": heal, "compare": baselines}
    run_fit(file, target, output, job, parameters, report=report, as_json=as_json, quiet=quiet)


@app.command()
def predict(
    model: Model,
    file: Annotated[Path, typer.Argument(help="a table with the model's columns", show_default=False)],
    output: Output = None,
    proba: Annotated[bool, typer.Option("--proba", help="add a probability per class")] = False,
    as_json: Json = False,
) -> None:
    """Predict the rows of a table; warn of missing columns, unseen categories and drift."""
    from ganglion.cli.use import run_predict

    run_predict(model, file, output, proba=proba, as_json=as_json)


@app.command()
def evaluate(
    model: Model,
    file: Annotated[Path, typer.Argument(help="a table with the model's columns and its target", show_default=False)],
    target: Annotated[str | None, typer.Option("--target", "-t", help="if the column is called otherwise", show_default=False)] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Score a model on a table that holds the truth, with intervals."""
    from ganglion.cli.use import run_evaluate

    run_evaluate(model, file, target, as_json=as_json)


@app.command()
def diagnose(model: Model, as_json: Json = False) -> None:
    """Say what went wrong in a model's training, by which numbers, and what to do about it."""
    from ganglion.cli.use import run_diagnose

    run_diagnose(model, as_json=as_json)


@app.command()
def report(
    model: Model,
    file: Annotated[
        Path, typer.Argument(help="a table with the model's columns and its target", show_default=False)
    ],
    output: Output = None,
) -> None:
    """Write the HTML report of a model on a table."""
    from ganglion.cli.use import run_report

    run_report(model, file, output)


@app.command("list")
def list_command(
    folder: Annotated[Path, typer.Argument(help="where to look")] = Path(),
    as_json: Json = False,
) -> None:
    """List the model files of a folder with what they predict and how well."""
    from ganglion.cli.use import run_list

    run_list(folder, as_json=as_json)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the two files")] = Path("demo-output"),
    time_limit: Annotated[float | None, typer.Option("--time-limit", help="seconds for the whole job", show_default=False)] = None,
) -> None:  # fmt: skip
    """Run the main job on the census sample that comes with Ganglion."""
    from ganglion.cli.fit import run_demo

    run_demo(output, time_limit)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show versions and devices, and train a small network for about three seconds."""
    from ganglion.cli.doctor import run_doctor

    run_doctor(as_json=as_json)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="show the version and exit")] = False,
) -> None:
    """Neural networks from your data: trained, diagnosed with a remedy, saved safely."""
    if version:
        from ganglion.base.version import VERSION

        say(f"ganglion {VERSION}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, 2 for a wrong input (one sentence), 130 for Ctrl-C."""
    try:
        code = app(args=arguments, standalone_mode=False)
        return int(code or 0)
    except typer.Exit as done:
        return done.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return fail("interrupted", code=130)
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        return 0
    except Exception as error:
        return fail(sentence(error), code=2)


def sentence(error: Exception) -> str:
    """One sentence for a wrong input; anything else is a fault of ours and keeps its traceback."""
    from ganglion.base.errors import GanglionError

    if hasattr(error, "format_message"):  # the command line itself was wrong
        return f"{error.format_message()} Try: ganglion --help"
    if isinstance(
        error, GanglionError | ImportError | PermissionError | FileNotFoundError | IsADirectoryError
    ):
        return " ".join(str(error).split())
    raise error


if __name__ == "__main__":
    sys.exit(main())
