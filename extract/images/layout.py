"""Which class and split each file of a tree is, by the folders that it lies in: one rule for all.

A folder on a disk, a listing behind a URL and the members of a tar file are laid out alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import DataError
from ...text import shown
from .names import is_litter, is_litter_folder, split_affixed, split_named

EXPECTED = (
    "expected one sub-folder a class with photographs in it, or train/ and validation/ (or test/) "
    "that hold those"
)
NAMED = 3  # folders that a message names


class Place(NamedTuple):
    """What a file's folders say of it."""

    label: str
    split: str | None


@dataclass(slots=True)
class _Folder:
    """A folder: what is in it."""

    name: str
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: int = 0  # litter left out
    example: str = ""  # the name of a file
    place: Place | None = None  # of all that is in it

    def all_files(self) -> int:
        """Count the files in it and below."""
        count, ahead = (
            0,
            [self],
        )  # no recursion: a tar file's names may be thousands of folders deep
        while ahead:
            folder = ahead.pop()
            count += folder.files
            ahead += folder.folders.values()
        return count

    @property
    def holds_folders(self) -> bool:
        """Whether it is made of folders: files in it are few beside theirs."""
        if not self.folders:
            return False
        below = sum(folder.all_files() for folder in self.folders.values())
        return not self.files or (len(self.folders) > 1 and below > 10 * self.files)


@dataclass(slots=True)
class Layout:
    """What the folders of a tree say."""

    tree: _Folder = field(default_factory=lambda: _Folder(""))
    warnings: list[str] = field(default_factory=list)  # what was left out, in words
    splits: bool = False  # whether there are split folders

    def place(self, file: Sequence[str]) -> Place | None:
        """Return what the names on the way to a file say of it; None where it is left out."""
        *parents, name = file
        if is_litter(name):
            return None
        folder: _Folder | None = self.tree
        place = self.tree.place
        for parent in parents:
            folder = folder and folder.folders.get(parent)
            if folder is None:
                return None  # litter
            place = folder.place or place
        return place


def lay_out(
    files: Iterable[Sequence[str]], root: str, folders: Iterable[Sequence[str]] = ()
) -> Layout:
    """Find class and split of each folder; of files no more is kept than their number.

    Folders that only wrap others are seen through. Split folders are known by their usual names;
    what lies beside them is left out.

    Parameters
    ----------
    files : iterable of sequence of str
        The names on the way to each file, its own last.
    root : str
        What the tree is called in messages.
    folders : iterable of sequence of str
        The names on the way to each folder, its own last: empty class folders are told.

    Raises
    ------
    DataError
        If the folders can be read in two ways; the message names both.

    Examples
    --------
    >>> files = [("pets", "train", "cat", "1.jpg"), ("pets", "val", "cat", "2.jpg")]
    >>> lay_out(files, "x").place(files[1])
    Place(label='cat', split='validation')
    """
    layout = Layout(_Folder(root))
    _grow(layout.tree, files, layout.warnings)
    known: dict[str, set[str]] = defaultdict(set)
    for *parents, name in folders:
        known["/".join((root, *parents))].add(name)
    base = _unwrapped(layout.tree, layout.warnings)
    splits = _splits(base)
    layout.splits = bool(splits)
    if not splits:
        _refuse_two_readings(base)
        _place(base, None, layout, known)
        return layout
    _tell_loose(base, layout.warnings)
    for name in sorted(base.folders.keys() - splits.keys()):
        count = base.folders[name].all_files()
        layout.warnings.append(
            f"{shown(_below(base, name))} is no split folder: {count:,} files left out"
        )
    for name, split in splits.items():
        folder = _unwrapped(base.folders[name], layout.warnings, split)
        _refuse_two_readings(folder)
        _place(folder, split, layout, known)
    return layout


def _grow(tree: _Folder, files: Iterable[Sequence[str]], warnings: list[str]) -> None:
    """Fill the tree with all files but litter, which is told once, with its count."""
    litter: dict[str, int] = defaultdict(int)
    for *parents, name in files:
        bin_ = next((parent for parent in parents if is_litter_folder(parent)), None)
        if bin_ is not None:
            litter[bin_] += 1
        elif not any(map(is_litter, (*parents, name))):
            folder = tree
            for parent in parents:
                known = folder.folders.get(parent)
                if known is None:
                    known = folder.folders[parent] = _Folder(f"{folder.name}/{parent}")
                folder = known
            folder.files += 1
            folder.example = folder.example or name
    if litter:
        count = sum(litter.values())
        warnings.append(
            f"{count:,} {'file' if count == 1 else 'files'} in {shown(', '.join(sorted(litter)))}: "
            "bins, thumbnails and the like are never data: left out"
        )


def _unwrapped(folder: _Folder, warnings: list[str], split: str | None = None) -> _Folder:
    """Return the first folder down from here that does more than wrap another.

    Inside a split only a folder of that name, or of the split's, is a wrapper: any other may be
    its one class.
    """
    while len(folder.folders) == 1:
        ((name, only),) = folder.folders.items()
        named = split_named(name)
        wraps = (
            named is None if split is None else named == split or _own(folder) == name.casefold()
        )
        if not wraps or not only.holds_folders:
            return folder
        _tell_loose(folder, warnings)
        folder = only
    return folder


def _own(folder: _Folder) -> str:
    return folder.name.rpartition("/")[2].casefold()


def _splits(base: _Folder) -> dict[str, str]:
    """Return the split folders by name, none where the folders are classes.

    Raises
    ------
    DataError
        If a folder named as a split is none, or would be a class.
    """
    named = {name: split for name in base.folders if (split := split_named(name)) is not None}
    affixed = {name: part for name in base.folders if (part := split_affixed(name)) is not None}
    others = base.folders.keys() - named.keys()
    rests = {part[1] for name, part in affixed.items() if name not in named}
    pairs = len({part[0] for part in affixed.values()}) > 1 and len(rests) <= 1
    if others and pairs and others <= affixed.keys():
        named |= {name: affixed[name][0] for name in others}
        others = set()
    splits = {
        name: named[name] for name in base.folders if name in named and base.folders[name].folders
    }
    if not named:
        return {}
    if not splits:
        raise DataError(
            f"{_list(base, named)} {'is' if len(named) == 1 else 'are'} named as a split, and "
            f"{'holds' if len(named) == 1 else 'hold'} photographs but no class folders: "
            + (
                f"beside the class folders {_list(base, others)}, it is either a split without labels "
                "(name the others in a manifest) or a class (give it another name)"
                if others
                else f"{EXPECTED}; photographs without labels are for label, group and predict"
            )
        )
    if others and "train" not in splits.values():
        raise DataError(
            f"{_list(base, splits)} may be a split and {_list(base, others)} classes, or all of them "
            "classes: put the class folders into train/, or give the split folder another name"
        )
    return splits


def _refuse_two_readings(folder: _Folder) -> None:
    """Refuse class folders that hold nothing but folders of the same names.

    Raises
    ------
    DataError
        Naming both readings.
    """
    classes = folder.folders
    bad = [name for name in classes if split_named(name) is not None]
    if bad:
        raise DataError(
            f"{_list(folder, bad)} is named as a split, and stands where a class is expected: "
            "put it beside the other splits, or give it another name"
        )
    if len(classes) < 2 or any(c.files or not c.folders for c in classes.values()):
        return
    inner = [set(c.folders) for c in classes.values()]
    shared = set.intersection(*inner)
    if len(shared) < 2 and not all(split_named(name) for names in inner for name in names):
        return
    outer, within = sorted(classes), sorted(set.union(*inner))
    raise DataError(
        f"{shown(folder.name)} can be read in two ways: as {len(outer)} classes "
        f"({_names(outer)}), or as {len(within)} classes ({_names(within)}) within each of them; "
        "name the folder that holds the class folders, put splits above classes "
        "(train/CLASS/…), or write a manifest (path,label,split)"
    )


def _place(
    folder: _Folder, split: str | None, layout: Layout, known: Mapping[str, set[str]]
) -> None:
    """Take each folder in this one for a class."""
    for name, within in folder.folders.items():
        within.place = Place(name, split)
    _tell_loose(folder, layout.warnings)
    layout.warnings.extend(
        f"class folder {shown(_below(folder, name))} holds no files: left out"
        for name in sorted(known.get(folder.name, set()) - folder.folders.keys())
        if not is_litter(name)
    )


def _tell_loose(folder: _Folder, warnings: list[str]) -> None:
    if folder.files:
        count = folder.files
        warnings.append(
            f"{count:,} {'file' if count == 1 else 'files'} in {shown(folder.name)} outside class "
            f"folders ({shown(folder.example)}{', …' if count > 1 else ''}): left out"
        )


def _below(folder: _Folder, name: str) -> str:
    return f"{folder.name}/{name}"


def _list(folder: _Folder, names: Iterable[str]) -> str:
    some = sorted(names)
    more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
    return ", ".join(shown(_below(folder, name)) + "/" for name in some[:NAMED]) + more


def _names(names: list[str]) -> str:
    return ", ".join(map(shown, names[:NAMED])) + (", …" if len(names) > NAMED else "")
