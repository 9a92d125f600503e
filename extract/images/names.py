"""What names say: which folders are splits, which are nobody's data, which two spell one class."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from ...text import shown

# What people call the parts of a dataset, and the part that it is.
SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}
# Words beside them that change nothing: training_set, seg_train, train-images, val2017.
_BESIDE = {"set", "data", "dataset", "split", "seg", "images", "image", "imgs", "img", "photos"}

# Bins, thumbnails and indexes that systems leave behind, in lower case: never data.
LITTER_FOLDERS = {
    *("$recycle.bin", "recycler", "#recycle", "@recycle", ".trash", ".trashes"),
    *("system volume information", "lost+found", "lost.dir", ".spotlight-v100", ".fseventsd"),
    *("__macosx", "@eadir", "@__thumb", ".@__thumb", ".thumbnails", ".picasaoriginals"),
    *("#snapshot", ".snapshot", ".ipynb_checkpoints", "__pycache__"),
}
LITTER_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_NUMBERED_TRASH = re.compile(r"\.trash-\d+")


@functools.lru_cache(1024)  # a manifest says it a million times
def split_named(name: str) -> str | None:
    """Return the split that a folder's whole name spells.

    Examples
    --------
    >>> [split_named(name) for name in ("Train", "seg_test", "val2017", "trainset", "cat")]
    ['train', 'test', 'validation', 'train', None]
    >>> split_named("bullet-train")
    """
    words = _words(name)
    splits = [SPLITS[word] for word in words if word in SPLITS]
    others = [word for word in words if word not in SPLITS and word not in _BESIDE]
    return splits[0] if len(set(splits)) == 1 and not others else None


def split_affixed(name: str) -> tuple[str, str] | None:
    """Return the split that a folder's name begins or ends with, and the rest of the name.

    Only beside another that differs in the split alone is such a folder one.

    Examples
    --------
    >>> split_affixed("monkeys_train"), split_affixed("validation-monkeys")
    (('train', 'monkeys'), ('validation', 'monkeys'))
    >>> split_affixed("trained")
    """
    words = _words(name)
    for place in (0, -1):
        if words and words[place] in SPLITS:
            rest = words[1:] if place == 0 else words[:-1]
            return SPLITS[words[place]], " ".join(word for word in rest if word not in _BESIDE)
    return None


def _words(name: str) -> list[str]:
    """Return the words of a name; a split's word that ``set`` is glued to comes alone."""
    text = re.sub(r"hold[_\- ]out", "holdout", name.casefold())
    words = re.findall(r"[^\W\d_]+", text)
    return [w.removesuffix("set") if w.removesuffix("set") in SPLITS else w for w in words]


def is_litter_folder(name: str) -> bool:
    """Tell whether a folder is a bin, or a cache of thumbnails, whatever lies in it."""
    folded = name.casefold()
    return folded in LITTER_FOLDERS or _NUMBERED_TRASH.fullmatch(folded) is not None


def is_litter(name: str) -> bool:
    """Tell whether a file or folder is hidden, or a system's own.

    Examples
    --------
    >>> [is_litter(name) for name in (".DS_Store", "Thumbs.db", "@eaDir", "cat.jpg")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in LITTER_FILES or is_litter_folder(name)


def spelling(name: str) -> str:
    r"""Return a class's name as it is compared: composed (NFC), without spaces around it.

    Examples
    --------
    >>> spelling("e\u0301cureuil ") == "\xe9cureuil"
    True
    """
    return unicodedata.normalize("NFC", name).strip()


def tell_spellings(labels: Iterable[str]) -> list[str]:
    """Return a warning for each class that has several spellings.

    Examples
    --------
    >>> tell_spellings(["dog", "dog "])
    ["class 'dog' is also spelt 'dog ': taken as one"]
    >>> tell_spellings(["cat", "Cat"])
    ["classes 'Cat' and 'cat' differ only in case: one class? rename one"]
    """
    composed: dict[str, set[str]] = defaultdict(set)
    folded: dict[str, set[str]] = defaultdict(set)
    for label in sorted(set(labels)):
        composed[spelling(label)].add(label)
        folded[spelling(label).casefold()].add(spelling(label))
    warnings = [
        f"class {name!r} is also spelt {', '.join(map(_spelt, sorted(variants - {name})))}: "
        "taken as one"
        for name, variants in composed.items()
        if len(variants) > 1
    ]
    return warnings + [
        f"classes {' and '.join(map(repr, sorted(names)))} differ only in case: one class? rename one"
        for names in folded.values()
        if len(names) > 1
    ]


def _spelt(name: str) -> str:
    """Return a name so that what cannot be seen in it can."""
    return shown(repr(name) if name.isascii() else ascii(name))
