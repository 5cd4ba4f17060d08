"""Arguments and options of the commands, each said once."""

from pathlib import Path
from typing import Annotated, Any

import typer


def option(*names: str, say: str) -> Any:
    """An option that shows no default."""
    return typer.Option(*names, help=say, show_default=False)


Model = Annotated[Path, typer.Argument(help="a *.ganglion file", show_default=False)]
Passed = Annotated[
    Path,
    typer.Argument(help="a table with the model's columns; a folder of pictures, or one", show_default=False),
]
New = Annotated[
    list[Path] | None,
    typer.Argument(
        help="a table with the model's columns; pictures or folders of them; texts, as lines of a .txt file; "
        "nothing for a forecaster",
        show_default=False,
    ),
]
Truth = Annotated[
    Path,
    typer.Argument(
        help="a table with the model's columns and target; a folder of class folders; a text",
        show_default=False,
    ),
]
Data = Annotated[
    Path,
    typer.Argument(help="a table (CSV, TSV, Parquet or JSON lines), a folder with a folder of pictures per class, a "
                   "text (.txt), or tagged words (.conllu, .conll, .bio)", show_default=False),
]  # fmt: skip
Image = Annotated[
    str | None, option("--image", say="the column with the paths of pictures, from the table's folder on")
]
Text = Annotated[
    str | None,
    option("--text", say="the columns with texts, by commas (found where the table is about them)"),
]
Network = Annotated[
    str | None,
    option("--model", say="the network: mlp for tables; cnn (first choice) or resnet for pictures; of texts --cell "
           "says it, of series --network"),
]  # fmt: skip
Horizon = Annotated[
    int | None, typer.Option("--horizon", min=1, help="forecast so many times ahead", show_default=False)
]
Steps = Annotated[
    int | None,
    typer.Option("--horizon", min=1, help="times ahead, of a forecaster (as learned)", show_default=False),
]
Covariates = Annotated[
    str | None, option("--covariates", say="columns that help to forecast and are known ahead, by commas")
]
Lines = Annotated[bool, option("--lines", say="each line of a .txt file is a text of its own")]
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
Time = Annotated[str | None, option("--time", say="the column of times: its last rows are the test")]
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
