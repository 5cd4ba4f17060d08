"""Rules about the batch: so small that steps are noise, or so large that there are too few of them."""

from statistics import median

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.generalisation import FALLING
from ganglion.diagnose.steps import harm
from ganglion.diagnose.view import View

# A mean over so few examples is ruled by each of them.
FEW_EXAMPLES = 4
# tr(Sigma) / (B |G|^2): a step is a tenth signal in length at 100.
NOISY = 30.0
# A batch of this share of the rows makes a dozen steps an epoch at most ...
LARGE_SHARE = 1 / 12
# ... and so few steps are a beginning: the moments of Adam and momentum alone take tens of them.
FEW_STEPS = 150
VERY_FEW = 50
# Well above the noise scale, twice the batch saves hardly a step (McCandlish et al. 2018).
BEYOND_NOISE = 4.0


def batch_too_small(view: View) -> Finding | None:
    """Steps from one to four examples, mostly noise, and a fit that suffers from it."""
    batch, noise = view.batch, view.noise_to_batch
    if batch is None or batch > FEW_EXAMPLES or (noise is not None and noise < NOISY):
        return None
    signs = harm(view)
    if not signs:
        return None
    evidence = {"batch_size": batch, "threshold": FEW_EXAMPLES, **signs}
    if noise is not None:
        evidence["noise_scale_over_batch"] = noise
    return Finding(
        "batch_too_small",
        "warning",
        evidence=evidence,
        meaning=(
            f"Each step comes from {batch:.0f} example{'s' if batch > 1.5 else ''}"
            + (f", and noise is {noise:.0f} times the signal" if noise is not None else "")
            + ": steps go to and fro, and the fit stays behind."
        ),
        remedy=Remedy("larger_batch", 32.0, "Take 32 examples per step, or a much smaller learning rate."),
        lab="batch-noise",
    )


def batch_too_large(view: View) -> Finding | None:
    """Few steps from many examples each; the loss was still falling when the epochs were over."""
    batch, n, steps = view.batch, view.rows, view.steps
    if batch is None or n is None or not steps or view.record.stopped not in ("epochs", "early", "steps"):
        return None
    if (
        batch < max(LARGE_SHARE * n, 2 * FEW_EXAMPLES)
        or steps > FEW_STEPS
        or not (view.unfinished or view.beaten)
    ):
        return None
    scales = [row["noise_scale"] for row in view.noise_rows]
    beyond = batch / median(scales) if scales and median(scales) > 0 else None
    if (beyond is not None and beyond < BEYOND_NOISE) or (beyond is None and batch < n / 2):
        return None
    if steps > VERY_FEW and view.fall(0.25) < FALLING:
        return None
    evidence = {
        "batch_size": batch,
        "n_train": n,
        "steps": steps,
        "threshold": FEW_STEPS,
        "still_falling": view.fall(0.25),
    }
    if beyond is not None:
        evidence["batch_over_noise_scale"] = beyond
    return Finding(
        "batch_too_large",
        "warning",
        evidence=evidence,
        meaning=(
            f"Batches of {batch:.0f} of {n:.0f} rows left {steps:.0f} steps in all, and the fit is not finished: "
            "each step was exact, and there were too few of them."
        ),
        remedy=Remedy("smaller_batch", 32.0, "Take 32 examples per step: many more steps for the same work."),
        lab="batch-noise",
    )
