"""The parts of a report that only pictures have: mistakes and examples as pictures, variation, filters and maps."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ganglion.data.images import read_images
from ganglion.data.pictures import unit
from ganglion.evaluate import worst_mistakes
from ganglion.evaluate.shifts import shift_agreement
from ganglion.plot.filters import kernel_pictures, map_pictures, stage_maps
from ganglion.report import Pictures, Shown

MISTAKES, EXAMPLES = 24, 12
CLASSES_VARIED, VERSIONS = 5, 7
FILTERS, MAPS, STAGES = 64, 12, 5
MOVED = 200  # test pictures that are moved by a pixel at most
MOVED_NUMBERS = 2**22  # in them, beyond the first MISTAKES


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that pictures fill."""
    estimator = result.estimator
    of_one = shown(result, surest(result))
    return {
        "family": "pictures",
        "facts": facts_of(result),
        "pictures": Pictures(
            mistakes=shown(result, mistaken(result)),
            examples=shown(result, by_chance(len(result.test))),
            augment=estimator.augment_ or "",
            reasons=estimator.augment_reasons_,
            augmented=varied(result),
            filters=kernel_pictures(estimator.module_)[:FILTERS],
            maps_of=of_one[0] if of_one else None,
            maps=maps_of(result, surest(result)),
            steady=steadiness(result),
            refused=result.job.refused,
        ),
    }


def mistaken(result: Any) -> list[int]:
    """Places among the test pictures of the wrong answers, the surest first."""
    classes = result.estimator.classes_.tolist()
    found = worst_mistakes(result.job.y[result.test], result.answer, classes=classes, n=MISTAKES)
    return [one.row for one in found]


def by_chance(n: int, most: int = EXAMPLES) -> list[int]:
    """Some places among the test pictures."""
    return sorted(np.random.default_rng(0).permutation(n)[:most].tolist())


def steadiness(result: Any) -> tuple[float, int]:
    """The share of answers that stay when test pictures move by one pixel to any side, and of how many pictures."""
    estimator = result.estimator
    most = min(MOVED, max(MISTAKES, MOVED_NUMBERS // math.prod(estimator.image_shape_)))
    rows = result.test[by_chance(len(result.test), most)]
    images = estimator._read_pictures(result.job.take(rows), reset=False)
    pictures = images.tensor(np.arange(len(rows))).permute(0, 2, 3, 1).numpy()  # (n, h, w, c)
    return shift_agreement(estimator.predict, pictures, furthest=1)[1], len(rows)


def surest(result: Any) -> list[int]:
    """The place of the right answer that is surest, if there is one."""
    classes = result.estimator.classes_
    right = classes[result.answer.argmax(axis=1)] == result.job.y[result.test]
    return [int(np.argmax(result.answer.max(axis=1) * right))] if right.any() else []


def shown(result: Any, places: Sequence[int]) -> list[Shown]:
    """Test pictures as they are, with what is true and what was said."""
    if not len(places):
        return []
    job, classes = result.job, result.estimator.classes_.tolist()
    rows = result.test[list(places)]
    images = read_images(job.take(rows), channels=3)
    return [
        Shown(
            pixels=images.picture(i).permute(1, 2, 0).numpy(),
            name=job.names[row],
            true=job.y[row],
            predicted=classes[int(result.answer[place].argmax())],
            confidence=float(result.answer[place].max()),
        )
        for i, (row, place) in enumerate(zip(rows, places))
    ]


def pixels_of(result: Any, rows: np.ndarray) -> torch.Tensor:
    """Pictures as the network takes them, (n, c, h, w) in [0, 1]."""
    estimator = result.estimator
    return unit(estimator._pixels(estimator._read_pictures(result.job.take(rows), reset=False)))


def varied(result: Any) -> list[tuple[Any, list[np.ndarray]]]:
    """A picture of each of some classes with versions of it as training sees them."""
    augment = result.estimator._augment()
    rows = result.train if len(result.train) else result.test
    labels = result.job.y[rows]
    ones = [
        rows[np.argmax(labels == label)] for label in result.estimator.classes_ if np.any(labels == label)
    ]
    if augment is None or not ones:
        return []
    first = np.array(ones[:CLASSES_VARIED])
    codes = np.searchsorted(result.estimator.classes_, result.job.y[first])
    batch = {"x": pixels_of(result, first), "y": torch.as_tensor(codes)}
    seen = [batch["x"]] + [augment(batch, torch.Generator().manual_seed(i))["x"] for i in range(VERSIONS)]
    pictures = torch.stack(seen, 1).permute(0, 1, 3, 4, 2)[..., :3].float().numpy()
    return [(label, list(row)) for label, row in zip(result.job.y[first], pictures)]


def maps_of(result: Any, places: Sequence[int]) -> list[tuple[str, list[np.ndarray]]]:
    """What each stage makes of a picture, in words and as some of its maps."""
    if not len(places):
        return []
    stages = stage_maps(result.estimator.module_, pixels_of(result, result.test[list(places)]))
    return [
        (f"{maps.shape[1]} × {maps.shape[2]}, {len(maps)} maps", map_pictures(maps, MAPS))
        for maps in stages[:STAGES]
    ]


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job = result.job
    channels, height, width = result.estimator.image_shape_
    facts: dict[str, Any] = {"pictures given": f"{job.n_read:,}"}
    if len(result.train):
        facts["for training"] = f"{len(result.train):,}"
    facts["for the test"] = f"{len(result.test):,}"
    facts["seen at"] = f"{height} × {width} pixels, {'grey' if channels == 1 else 'colour'}"
    if job.sizes is not None and len(job.sizes):
        least, most = (" × ".join(map(str, pick(job.sizes, axis=0))) for pick in (np.min, np.max))
        facts["own sizes"] = least if least == most else f"{least} to {most}"
    counts = list(zip(job.task.classes, job.task.counts))
    if len(counts) <= 3:
        facts["classes"] = ", ".join(f"{str(c)[:20]}: {k:,}" for c, k in counts)
    else:
        facts["classes"] = f"{len(counts)}, of {min(job.task.counts):,} to {max(job.task.counts):,} pictures"
    facts["files left out"] = f"{len(job.refused):,}"
    apart = sum(len({job.y[row] for row in group}) > 1 for group in job.duplicates)
    if job.duplicates:
        copies = sum(len(group) - 1 for group in job.duplicates)
        facts["copies of another file"] = f"{copies:,}" + (f", {apart:,} in another class" if apart else "")
    return facts
