"""The command ``ganglion``: only translates words into calls; everything heavy is imported late."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ganglion.cli.flags import with_flags
from ganglion.cli.options import (
    Balanced,
    Baselines,
    Covariates,
    Data,
    Drawing,
    Folder,
    Fraction,
    Group,
    Header,
    Heal,
    Horizon,
    Ignore,
    Image,
    Json,
    Lines,
    Model,
    ModelOut,
    Network,
    Neurons,
    New,
    Other,
    Page,
    Passed,
    Predictions,
    Proba,
    Quiet,
    Report,
    Row,
    Rows,
    Seconds,
    Seed,
    Steps,
    Target,
    Task,
    Text,
    Time,
    Truth,
    Version,
    option,
)
from ganglion.cli.out import INTERRUPTED, fail, say

app = typer.Typer(
    name="ganglion",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Neural networks from your data: trained, diagnosed with a remedy, saved safely.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("fit", short_help="Train on your data; write a model and a report.")
@with_flags
def fit_command(
    file: Data,
    target: Target = None,
    image: Image = None,
    text: Text = None,
    horizon: Horizon = None,
    time: Time = None,
    covariates: Covariates = None,
    lines: Lines = False,
    model: Network = None,
    output: ModelOut = None,
    task: Task = None,
    time_limit: Seconds = None,
    heal: Heal = False,
    test_fraction: Fraction = 0.2,
    group: Group = None,
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
    """Train a network on a table, pictures, texts or a series, compare it with baselines, write model and report.

    Texts in a table are sorted into classes, tagged word by word, or written anew, as the target asks; a text file is
    learned as it is; --horizon and --time ask for forecasts.

    Ctrl-C ends the training early: the best weights so far are kept and written.
    """
    from ganglion.cli.fit import run_fit

    parameters = {**parameters, "random_state": seed} if seed else parameters
    if balanced:
        parameters["class_weight"] = "balanced"
    job = {
        "image": image,
        "text": names(text),
        "horizon": horizon,
        "covariates": names(covariates),
        "lines": lines,
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


@app.command(short_help="Predict rows, pictures, texts, or what comes next.")
def predict(
    model: Model,
    file: New = None,
    image: Image = None,
    horizon: Steps = None,
    output: Predictions = None,
    proba: Proba = False,
    as_json: Json = False,
) -> None:
    """Predict rows of a table, pictures, texts, or how a series goes on; warn of drift and of what cannot be used."""
    from ganglion.cli.use import run_predict

    run_predict(model, file or [], output, image=image, proba=proba, horizon=horizon, as_json=as_json)


@app.command(short_help="Write texts with a language model.")
def generate(
    model: Model,
    prompt: Annotated[str, option("--prompt", "-p", say="what the text begins with")] = "",
    length: Annotated[int, typer.Option("--length", min=1, help="tokens at most")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0, help="below 1 is more careful; 0 takes the likeliest")
    ] = 1.0,
    top_k: Annotated[int | None, option("--top-k", say="draw among the k likeliest tokens only")] = None,
    top_p: Annotated[
        float | None, option("--top-p", say="draw among the likeliest tokens of this share only")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="how many texts")] = 1,
    stop: Annotated[bool, option("--stop", say="end where the model says so (texts of their own)")] = False,
    seed: Annotated[int | None, option("--seed", say="draw the same again")] = None,
    as_json: Json = False,
) -> None:
    """Write texts with a language model: what follows a prompt."""
    from ganglion.cli.use import run_generate

    chosen = {"length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p, "stop": stop}
    run_generate(model, prompt, n=n, seed=seed, as_json=as_json, chosen=chosen)


@app.command(short_help="Write a text for a text: translate or summarise.")
def translate(
    model: Model,
    text: Annotated[
        list[str] | None, typer.Argument(help="texts (lines of standard input if none)", show_default=False)
    ] = None,
    file: Annotated[Path | None, option("--file", "-f", say="a file with a text on each line")] = None,
    output: Annotated[Path | None, option("--output", "-o", say="a file (printed if not given)")] = None,
    as_json: Json = False,
) -> None:
    """Write a text for each text with a Translator: a translation, a summary, an answer."""
    from ganglion.cli.use import run_translate

    run_translate(model, text or [], file, output, as_json=as_json)


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
