"""Class names of a dataset → class names of a model."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ...errors import DataError, OptionError, unknown
from ...extract.images.images import Image
from ...text import shown

NAMED = 5  # classes that a message names

ClassMap = dict[str, str]  # the dataset's name to the model's; "" leaves the class out


@dataclass(frozen=True)
class Mapped:
    """Images under the model's class names."""

    images: list[Image]  # those of classes that the model knows
    left_out: dict[str, int]  # class that was mapped to nothing to its images
    warnings: list[str]  # what is worth telling


def read_class_map(given: Sequence[str]) -> ClassMap:
    """Read what ``--class-map`` takes, once or several times.

    Parameters
    ----------
    given : sequence of str
        Each a CSV file with the columns ``from,to``, a JSON file with one object, or
        ``from=to``. Nothing after the ``=``, or an empty ``to``, leaves the class out.

    Raises
    ------
    DataError
        If a file cannot be read as such.
    OptionError
        If one is neither a file nor ``from=to``, or a class is mapped twice, differently.

    Examples
    --------
    >>> read_class_map(["kitty=cat", "hamster="])
    {'kitty': 'cat', 'hamster': ''}
    """
    whole: ClassMap = {}
    for entry in given:
        for name, target in _pairs(entry):
            if whole.setdefault(name, target) != target:
                raise OptionError(
                    f"--class-map gives {shown(name)!r} two names: {shown(whole[name])!r} and "
                    f"{shown(target)!r}"
                )
    return whole


def map_classes(
    images: Sequence[Image], known: Sequence[str], class_map: ClassMap, place: str
) -> Mapped:
    """Give images the model's class names.

    Parameters
    ----------
    images : sequence of Image
        With the dataset's names.
    known : sequence of str
        The model's classes.
    class_map : dict
        From :func:`read_class_map`.
    place : str
        The dataset, for messages.

    Raises
    ------
    OptionError
        If the map leads to a class that the model does not know.
    DataError
        If a class is neither known nor mapped, or nothing is left.
    """
    for target in class_map.values():
        if target and target not in known:
            raise unknown("class of the model", target, list(known))
    counts = Counter(image.label for image in images)
    strange = sorted(label for label in counts if class_map.get(label, label) not in {*known, ""})
    if strange:
        raise DataError(_refusal(strange, counts, known, place))
    named = [replace(image, label=class_map.get(image.label, image.label)) for image in images]
    left_out = {label: n for label, n in sorted(counts.items()) if class_map.get(label) == ""}
    kept = [image for image in named if image.label]
    if not kept:
        raise DataError(f"--class-map leaves all {len(images)} images of {place} out")
    unused = sorted(set(class_map) - set(counts))
    warnings = []
    if unused:
        warnings.append(f"--class-map names classes that {place} does not have: {_some(unused)}")
    if left_out:
        warnings.append(
            f"{sum(left_out.values()):,} images of classes mapped to nothing are left out: "
            f"{_some(list(left_out))}"
        )
    return Mapped(kept, left_out, warnings)


def _refusal(strange: list[str], counts: Counter[str], known: Sequence[str], place: str) -> str:
    """Say which classes the model does not know, which it does, and what to do."""
    named = [f"{label} ({counts[label]:,})" for label in strange]
    close = get_close_matches(strange[0], known, n=1)
    first = shown(strange[0])
    return (
        f"{place} has classes that the model does not know (and images of them): {_some(named)}; "
        f"it knows {_some(list(known))}; map each with --class-map '{first}="
        f"{shown(close[0]) if close else 'CLASS'}', or leave it out with --class-map '{first}='"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(shown, names[:NAMED])) + more


def _pairs(given: str) -> list[tuple[str, str]]:
    path = Path(given)
    if path.is_file():
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read the class map {shown(path)}: {error}") from error
        return _from_json(text, path) if text.lstrip().startswith("{") else _from_csv(text, path)
    name, equals, target = given.partition("=")
    if not equals or not name:
        raise OptionError(
            f"--class-map takes a file (CSV with the columns from,to, or a JSON object) or "
            f"from=to, got {given!r}"
        )
    return [(name.strip(), target.strip())]


def _from_json(text: str, path: Path) -> list[tuple[str, str]]:
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        raise DataError(f"class map {shown(path)} is not JSON: {error}") from error
    pairs = [(name, "" if target is None else target) for name, target in document.items()]
    if not all(isinstance(target, str) for _, target in pairs):
        raise DataError(f"class map {shown(path)}: expected an object of names to names")
    return pairs


def _from_csv(text: str, path: Path) -> list[tuple[str, str]]:
    try:
        header, *rows = [row for row in csv.reader(text.splitlines(), strict=True) if row]
    except (csv.Error, ValueError) as error:
        raise DataError(f"class map {shown(path)} is not CSV with rows: {error}") from error
    if [name.strip() for name in header] != ["from", "to"] or any(len(row) != 2 for row in rows):
        raise DataError(
            f"class map {shown(path)}: expected the two columns from,to, got "
            f"{shown(','.join(header))}"
        )
    return [(name.strip(), target.strip()) for name, target in rows]
