"""Numbers and scores in words that need no training to read."""

import math
from typing import Any

from ganglion.plot.style import short
from ganglion.plot.text import clean

METRICS = {
    "accuracy": ("right answers", "share of rows whose class is predicted correctly"),
    "balanced_accuracy": ("right answers, every class counted alike", "mean over classes of the share found"),
    "auc": ("area under the ROC curve", "how often a row of the class is ranked above one of the others"),
    "f1": ("F1, mean over classes", "balance of finding all rows of a class and of not crying wolf"),
    "log_loss": ("log loss", "surprise at the true class; lower is better"),
    "brier": ("Brier score", "squared distance of probabilities from the truth; lower is better"),
    "ece": ("calibration error", "how far the stated confidence is from the truth; lower is better"),
    "r2": ("variance explained (R²)", "1 is perfect, 0 is no better than always answering the mean"),
    "rmse": ("root mean square error", "typical error, large ones count more; lower is better"),
    "mae": ("mean absolute error", "average error in the unit of the target; lower is better"),
    "median_error": ("median error", "half of the rows are closer than this; lower is better"),
    "bias": ("bias", "mean of predicted minus true; 0 is best"),
    "mase": (
        "mean absolute scaled error",
        "1 is the error of repeating the last season or value inside the training series; lower is better",
    ),
    "mse": ("mean square error", "large errors count more; lower is better"),
    "pinball": ("pinball loss", "error of the stated quantiles; lower is better"),
    "coverage": ("values within the interval", "share of true values that lie between its two ends"),
    "nats": ("nats per character", "surprise at the next character; lower is better"),
    "bits": ("bits per character", "as many the text needs when it is packed; lower is better"),
    "perplexity": ("perplexity per token", "as unsure as among so many tokens, all alike; lower is better"),
    "bleu": ("BLEU", "runs of one to four words shared with the translation given; 100 is the same text"),
    "rouge_l": ("ROUGE-L", "words in common in the same order, gaps allowed; 1 is the same text"),
    "exact": ("exactly right", "share of texts that are right letter by letter"),
    "tags": ("right tags", "share of words whose tag is right"),
    "span_f1": ("F1 of spans", "balance of finding all spans and of not making any up"),
    "precision": ("precision of spans", "share of the spans said that are right"),
    "recall": ("recall of spans", "share of the true spans that are found"),
}
"""Score -> (name in words, what it says)."""

LOWER_IS_BETTER = {
    "log_loss", "brier", "ece", "rmse", "mae", "median_error", "loss",
    "mase", "mse", "pinball", "nats", "bits", "perplexity",
}  # fmt: skip

SHARES = {"accuracy", "balanced_accuracy", "coverage", "exact", "tags", "precision", "recall"}
"""Scores written in percent."""

HUNDREDS = {"bleu"}
"""Scores from 0 to 1 that are by custom written from 0 to 100, without a sign."""

PLAIN = {"auc", "f1", "log_loss", "brier", "ece", "r2", "mase", "nats", "bits", "span_f1", "rouge_l"}
"""Scores without a unit, written with three decimals."""

MODELS = {
    "network": ("Neural network", "this model"),
    "dummy": ("Simple guess", "always the most frequent class, or the mean"),
    "linear": ("Linear model", "one weight per column"),
    "trees": ("Boosted trees", "hundreds of small decision trees"),
    "words": ("Weighted words", "TF-IDF and logistic regression"),
    "last value": ("Last value", "the last value known, again and again"),
    "seasonal naive": ("Last season", "the value of the same time in the last season known"),
    "drift": ("Straight line", "the line from the first value through the last one, drawn on"),
    "lexicon": ("Most frequent tag of each word", "the tag that a word had most often in the training texts"),
    "trigram": ("Three characters back", "counts of three characters"),
    "nearest": ("Nearest known text", "what belongs to the known text that shares most words with it"),
    "copy": ("The text itself", "the text to translate, as it is"),
}
"""Model -> (its name, what it is)."""

IN_SENTENCES = {"trigram": "counts of three characters"}
"""Model -> its name inside a sentence, where that is another one."""

PLURAL = {"trees", "words", "trigram"}
"""Models whose names ask for "are"."""

STOPPED = {
    "epochs": "all planned epochs were done",
    "early": "the validation score no longer improved",
    "time": "the time limit was reached",
    "interrupt": "it was interrupted by hand",
    "non_finite": "a number overflowed",
}


def score(value: float | None, metric: str = "") -> str:
    """A score with three digits; shares of rows in percent.

    >>> score(0.85678, "accuracy"), score(0.5, "auc"), score(36915.2, "mae"), score(0.2514, "bleu"), score(None)
    ('85.7%', '0.500', '36,900', '25.1', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if metric in SHARES:
        return f"{100 * value:.1f}%"
    if metric in HUNDREDS:
        return f"{100 * value:.1f}"
    if metric in PLAIN:
        return f"{round(value, 3) + 0:.3f}"  # + 0 turns -0 into 0
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 1e4 <= abs(rounded) < 1e9 else short(rounded)


def out_of(share: float, n: int) -> tuple[str, int]:
    """A share as whole rows: of 100, or of 1,000 where nearly all are right and there are rows enough.

    >>> out_of(0.857, 5000), out_of(0.9985, 5000), out_of(1.0, 40)
    (('86', 100), ('998', 1000), ('100', 100))
    """
    whole = 1000 if (share > 0.985 or share < 0.015) and n >= 1000 and 0 < share < 1 else 100
    return str(round(whole * share)), whole


def cell(value: Any, width: int = 60) -> str:
    """One cell of a table: short numbers, a dash for nothing, long texts cut at their end.

    >>> cell(3.14159265), cell(None), cell(float("nan")), cell("x" * 99, 5)
    ('3.142', '–', '–', 'xxxx…')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return cell(", ".join(cell(one) for one in value), width)
    if hasattr(value, "item"):
        return cell(value.item(), width)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else short(value)
    text = clean(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def sure(confidence: float | None) -> str:
    """How sure a wrong answer was, never rounded up to certainty.

    >>> sure(0.99991), sure(0.5)
    ('> 99.9%', '50.0%')
    """
    return "> 99.9%" if confidence is not None and confidence >= 0.9995 else score(confidence, "accuracy")


def percent(share: float) -> str:
    """A share as percent: none, a trace or a whole number.

    >>> percent(0), percent(0.0004), percent(0.25)
    ('0%', '< 1%', '25%')
    """
    return "0%" if share <= 0 else "< 1%" if share < 0.01 else f"{100 * share:.0f}%"


def seconds(value: float) -> str:
    """A duration as people say it.

    >>> seconds(0.04), seconds(12.34), seconds(400)
    ('0.04 s', '12 s', '7 min')
    """
    if value < 10:
        return f"{value:.2g} s"
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"


def model(name: str) -> str:
    """The name of a model or baseline in words."""
    return MODELS.get(name, (clean(name), ""))[0]


def the(name: str) -> str:
    """The name of a model as it stands inside a sentence, with its article.

    >>> the("trees"), the("copy"), the("ARIMA")
    ('the boosted trees', 'the text itself', 'the ARIMA')
    """
    words = IN_SENTENCES.get(name, model(name))
    words = words[:1].lower() + words[1:] if name in MODELS else words
    return words if words.startswith("the ") else f"the {words}"


def capital(text: str) -> str:
    """A text with its first letter large and the others as they are.

    >>> capital("variance explained (R²)")
    'Variance explained (R²)'
    """
    return text[:1].upper() + text[1:]


def metric(name: str) -> str:
    """The name of a score in words."""
    return METRICS.get(name, (name.replace("_", " "), ""))[0]
