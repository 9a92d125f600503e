"""Files as a dataset: their splits by folder and name, their classes by what they hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import DataError
from ...storage import attempt, file_system, without_file
from .addresses import is_remote, reference
from .images import Dataset, Image
from .layout import Place, lay_out
from .names import SPLITS, split_named
from .remote import File, Remote
from .shards.kinds import list_shard
from .shards.listing import Listing
from .shards.sample import Sample

# A name a line, in the order of the numbers: what people write, and TensorFlow Datasets.
NAMES = ("classes.txt", "classnames.txt", "label.labels.txt")
AT_ONCE = 4  # remote shards that are listed side by side: each has blocks of its own in memory
LARGEST_NAMES = 16 << 20  # bytes

_WORD = re.compile(r"[A-Za-z]+")


def read_shards(root: Path | Remote, shards: Sequence[File]) -> Dataset:
    """Read shards of one kind as one dataset.

    The split is that of the folder inside the shard that holds an image, else of the folder that
    holds the shard, else the word in its name (``train-000.tar``).

    Parameters
    ----------
    root : Path or Remote
        What the user named.
    shards : sequence of Path or Remote
        In the order that their images shall have.

    Raises
    ------
    DataError
        If a shard cannot be read, a label is missing, or the splits are not clear.
    """
    # Behind a URL, listing waits for the network.
    with ThreadPoolExecutor(AT_ONCE if any(map(is_remote, shards)) else 1) as pool:
        listings = dict(zip(shards, pool.map(_listing, shards), strict=True))
    kinds = {listing.kind: shard for shard, listing in listings.items()}
    if len(kinds) > 1:
        raise DataError(
            f"{root} holds shards of {len(kinds)} kinds ({', '.join(map(str, kinds.values()))}, "
            "…): name those of one kind by a pattern, such as 'train-*.tar'"
        )
    samples = [(shard, sample) for shard, listing in listings.items() for sample in listing.samples]
    warnings = [line for listing in listings.values() for line in listing.warnings]
    places = _by_folders(root, samples, warnings)
    images: list[Image] = []
    classes: dict[str, list[str] | None] = {}
    for shard, sample in samples:
        place = places.get(id(sample)) if _in_folders(sample) else _by_label(shard, sample, classes)
        if place is not None:
            images.append(Image(sample.image, place.label, _one_split(shard, sample, place.split)))
    if not images:
        raise DataError(f"no images in the {len(shards)} shards of {root}; {_first(warnings)}")
    _check_splits(root, images)
    return Dataset(root, images, warnings)


def _in_folders(sample: Sample) -> bool:
    return sample.label is None and "/" in sample.name


def _parts(sample: Sample) -> list[str]:
    return [part for part in sample.name.split("/") if part not in ("", ".")]


def _by_folders(
    root: Path | Remote, samples: Sequence[tuple[File, Sample]], warnings: list[str]
) -> dict[int, Place]:
    """Return class and split of the samples that only folders label, as of a folder on a disk."""
    within = [sample for _, sample in samples if _in_folders(sample)]
    layout = lay_out(map(_parts, within), str(root))
    warnings += layout.warnings
    return {
        id(sample): place
        for sample in within
        if (place := layout.place(_parts(sample))) is not None
    }


def _by_label(shard: File, sample: Sample, classes: dict[str, list[str] | None]) -> Place:
    """Return class and split of a sample with a label of its own; a folder may name the split."""
    folder = str(shard).rpartition("/")[0]
    if folder not in classes and isinstance(sample.label, int):
        classes[folder] = _class_names(folder)
    splits = [split for part in _parts(sample)[:-1] if (split := split_named(part)) is not None]
    return Place(_class(sample, shard, classes.get(folder)), splits[0] if splits else None)


def _one_split(shard: File, sample: Sample, within: str | None) -> str | None:
    """Return the split by the folders inside a shard, else by the shard's own name."""
    outside = split_of(shard)
    if within and outside and within != outside:
        raise DataError(
            f"{shard} is named after the split {outside}, but {sample.name} in it lies in {within}: "
            "rename the shard, or the folder in it"
        )
    return within or outside


def _check_splits(root: Path | Remote, images: Sequence[Image]) -> None:
    without = [image.path for image in images if image.split is None]
    if 0 < len(without) < len(images):
        raise DataError(
            f"{len(without):,} of {len(images):,} images in {root} are in no split ({without[0]}, …): "
            "expected train, validation or test in the names of all shards, in the folders inside "
            "them, or in none"
        )


def split_of(shard: File) -> str | None:
    """Return the split of a shard by its folder's name, else by the one word in its own.

    Examples
    --------
    >>> split_of(Path("data/train-00000-of-00002.parquet")), split_of(Path("a.tar"))
    ('train', None)
    """
    *_, folder, name = ("", *str(shard).split("/"))
    if (split := split_named(folder)) is not None:
        return split
    words = {word.casefold() for word in _WORD.findall(name)} & SPLITS.keys()
    named = {SPLITS[word] for word in words}
    return named.pop() if len(named) == 1 else None


def holds_shards(folders: Sequence[str]) -> bool:
    """Tell whether shards may lie in this folder below a dataset's root.

    Examples
    --------
    >>> holds_shards([]), holds_shards(["data", "train"]), holds_shards(["cat"])
    (True, True, False)
    """
    return all(split_named(name) is not None or name == "data" for name in folders)


def _listing(shard: File) -> Listing:
    listing = list_shard(shard)
    if listing is None:
        raise DataError(
            f"{shard} is no shard: expected a tar file (WebDataset), Parquet or TFRecord"
        )
    return listing


def _class(sample: Sample, shard: File, names: list[str] | None) -> str:
    """Return the name of a sample's class."""
    label = sample.label
    if label is None:
        raise DataError(
            f"{shard}: {sample.name} has no label: expected key.cls, key.json with 'label' or a "
            "folder a class (WebDataset); a column label (Parquet); image/class/text, "
            "image/class/label or label (TFRecord)"
        )
    if isinstance(label, str) or names is None:
        return str(label)
    if not 0 <= label < len(names):
        raise DataError(f"{shard}: {sample.name} has label {label}, {len(names)} classes are named")
    return names[label]


def _class_names(folder: str) -> list[str] | None:
    """Return the names in a file of class names beside shards, if there is one."""
    for name in NAMES:
        file = reference(without_file(f"{folder}/{name}" if folder else name))
        if isinstance(file, Path) and not file.is_file():
            continue
        if isinstance(file, Remote) and not _exists(file):
            continue
        data = file.read_bytes() if isinstance(file, Path) else file.read(LARGEST_NAMES)[1]
        return [line.strip() for line in data.decode("utf-8").splitlines() if line.strip()]
    return None


def _exists(file: Remote) -> bool:
    system, path = file_system(file.url)
    return bool(attempt(lambda: system.exists(path)))


def _first(warnings: list[str]) -> str:
    return warnings[0] if warnings else "they are empty"
