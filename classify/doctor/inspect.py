"""The data doctor: duplicates, leaks, likely label errors, outliers, class counts.

Everything comes from cached features. Nothing that is found here chooses or trains a
classifier, so training and evaluation images are looked at together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...extract.features import Features, load_dataset
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.columns import TapSelector
from ..data.groups import connect, group_images, known_groups, same
from ..data.near_duplicates import Alike, NearPairs, Neighbours, beyond_fence, find_alike
from ..data.split import name_parts
from ..data.table import IN_MEMORY, find_taps
from .findings import ClassCount, Copies, Inspection, LabelError, Outlier, Seen
from .label_errors import Doubts, doubt_labels

PARTS = ("train", "validation", "test", "held-out fifth")  # the order of print


def inspect(
    dataset: Dataset,
    source: FeatureSource,
    seed: int,
    max_failures: str | None = None,
) -> Inspection:
    """Examine a dataset by its features, extracting what is missing.

    Parameters
    ----------
    dataset : Dataset
        With labels; one class or one image is enough.
    source : FeatureSource
        What to extract.
    seed : int
        Seeds the folds of the head that doubts labels.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.

    Raises
    ------
    DataError
        If too many images failed.
    """
    features = load_dataset(dataset, source, max_failures, IN_MEMORY)
    stage("comparing images")
    y = np.unique([dataset.images[i].label for i in features.positions], return_inverse=True)[1]
    taps = find_taps(features.widths, len(source.spec.views))
    alike = find_alike(features.X, taps, features.digests, y)
    return examine(dataset, features, taps, alike, seed)


def examine(
    dataset: Dataset,
    features: Features,
    taps: TapSelector | None,
    alike: Alike,
    seed: int,
) -> Inspection:
    """Examine a dataset whose features are there and whose images are compared."""
    images = [dataset.images[position] for position in features.positions]
    parts = name_parts(images, features.digests)[1]
    seen = [Seen(image.path, image.label, part) for image, part in zip(images, parts, strict=True)]
    present = [part for part in PARTS if part in parts]
    classes, y = np.unique([image.label for image in images], return_inverse=True)

    stage("doubting labels")
    known = known_groups(images, features.digests)
    groups, _ = group_images(known, alike.pairs, y, np.arange(len(y)))
    doubts = doubt_labels(features.X, y, groups, classes.tolist(), seed, taps)
    return Inspection(
        root=dataset.root,
        images=len(dataset.images),
        splits=present,
        classes=_count(seen, present),
        duplicates=_exact_copies(seen, features.digests),
        near_duplicates=_near_copies(seen, features.digests, alike.pairs),
        label_errors=_label_errors(seen, doubts, classes.tolist()),
        outliers=_outliers(seen, alike.neighbours),
        failed=features.extraction.failures,
        remarks=[*dataset.warnings, *features.warnings, *doubts.remarks],
    )


def _exact_copies(seen: Sequence[Seen], digests: Sequence[bytes]) -> list[Copies]:
    members: dict[bytes, list[Seen]] = {}
    for image, digest in zip(seen, digests, strict=True):
        members.setdefault(digest, []).append(image)
    return _ranked([Copies(_ordered(some), 1.0) for some in members.values() if len(some) > 1])


def _near_copies(seen: Sequence[Seen], digests: Sequence[bytes], near: NearPairs) -> list[Copies]:
    groups = connect(len(seen), [same(digests), (near.first, near.second)])
    best: dict[int, float] = {}  # group to similarity; groups of exact copies alone are not here
    for group, similarity in zip(
        groups[near.first].tolist(), near.similarity.tolist(), strict=True
    ):
        best[group] = max(best.get(group, -1.0), similarity)
    members: dict[int, list[Seen]] = {group: [] for group in best}
    for image, group in zip(seen, groups.tolist(), strict=True):
        if group in members:
            members[group].append(image)
    return _ranked([Copies(_ordered(some), best[group]) for group, some in members.items()])


def _ordered(images: list[Seen]) -> list[Seen]:
    return sorted(images, key=lambda image: (PARTS.index(image.split), str(image.path)))


def _ranked(groups: list[Copies]) -> list[Copies]:
    """Order by what does most harm: leaks, then contradictions, then what weighs double."""
    return sorted(
        groups,
        key=lambda copies: (not copies.across_splits, not copies.conflicting_labels, -copies.score),
    )


def _label_errors(seen: Sequence[Seen], doubts: Doubts, classes: list[str]) -> list[LabelError]:
    verdicts = [None] * len(doubts.rows) if doubts.likely is None else doubts.likely.tolist()
    return [
        LabelError(seen[row], classes[suggested], own, best, likely)
        for row, suggested, own, best, likely in zip(
            doubts.rows.tolist(),
            doubts.suggested.tolist(),
            doubts.own.tolist(),
            doubts.best.tolist(),
            verdicts,
            strict=True,
        )
    ]


def _outliers(seen: Sequence[Seen], neighbours: Neighbours) -> list[Outlier]:
    beyond, distances = beyond_fence(neighbours)
    return [
        Outlier(
            seen[neighbours.rows[row]],
            float(distances[row]),
            seen[neighbours.rows[neighbours.indices[row, 0]]],
        )
        for row in beyond
    ]


def _count(seen: Sequence[Seen], parts: list[str]) -> list[ClassCount]:
    counts = Counter((image.label, image.split) for image in seen)
    return [
        ClassCount(label, {part: counts[label, part] for part in parts})
        for label in sorted({image.label for image in seen})
    ]
