"""What happens while a person labels: labels given, taken back, classes renamed, heads refitted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ...extract.images.addresses import Reference
from ...extract.images.dataset import read_dataset
from ...extract.images.images import UNLABELLED
from ...extract.images.names import spelling
from ...extract.source import FeatureSource
from ...text import below, shown
from ..data.collection import Collection
from ..doctor.label_errors import doubt_labels
from ..fit.fit_heads import HeadSettings, fit_heads
from .documents import ClassDocument, FittedDocument, PhotographDocument, StateDocument
from .guesses import Guesser, Labels
from .label_file import Given, LabelFile
from .looks import look
from .order import Shown, what_next

GIVEN, CORRECTED, KEPT, RENAMED = "given", "corrected", "kept", "renamed"  # reasons in the file
DOUBTED = "doubted"  # why a label is reviewed
LONGEST = 200  # characters of a class's name
MOST = 500  # photographs of one answer
PATIENCE = 5.0  # seconds that the next photographs wait for a head that is being fitted


class Session:
    """One person's labelling of one collection, in any number of tabs. Safe for threads.

    Parameters
    ----------
    collection : Collection
        The photographs; labels that they bring are the first.
    source : FeatureSource
        Where their features are from, for :attr:`fit`.
    file : LabelFile
        Where labels go.
    seed : int
        Of orders and folds.
    """

    def __init__(
        self, collection: Collection, source: FeatureSource, file: LabelFile, seed: int = 0
    ) -> None:
        self.collection = collection
        self.source = source
        self.file = file
        self.seed = seed
        self._names = [file.name(image.path) for image in collection.images]
        self._given = [UNLABELLED] * len(self._names)
        self._why = dict.fromkeys(range(len(self._names)), "")  # shown for, by row
        self._before: list[dict[int, Given]] = []  # to undo, the last is the latest
        self._lock = threading.RLock()
        self._skipped: set[int] = set()
        self._looks = look(collection, seed)
        self._rows: dict[str, list[int]] = {}  # of the same bytes
        for row, digest in enumerate(collection.digests):
            self._rows.setdefault(digest.hex(), []).append(row)
        self._guesser = Guesser(collection, self._looks.alike, seed, self._labels)
        self.classes: list[str] = []
        self._start()

    def close(self) -> None:
        """Let the worker end."""
        self._guesser.close()

    def _start(self) -> None:
        """Take the labels of the file, and of the photographs where it has none."""
        first = {
            name: Given(image.label, GIVEN)
            for name, image in zip(self._names, self.collection.images, strict=True)
            if image.label and name not in self.file.labels
        }
        self.file.put(first)
        self._given = [self.file.labels.get(name, Given("")).label for name in self._names]
        self.classes = list(dict.fromkeys(label for label in self._given if label))
        self._guesser.again()

    # What a person does

    def give(self, labels: Mapping[int, str], reason: str | None = None) -> None:
        """Label photographs; ``""`` takes a label away. Copies of the same bytes get it too.

        Parameters
        ----------
        labels : mapping of int to str
            Row to class; a new class is added.
        reason : str, optional
            For the file; what each photograph was shown for when None.

        Raises
        ------
        DataError
            If the file cannot be written: nothing has changed then.
        OptionError
            If a row or a name cannot be.
        """
        with self._lock:
            wanted = {self._checked(row): _class_name(label) for row, label in labels.items()}
            given = {
                copy: Given(label, reason or self._why[row])
                for row, label in wanted.items()
                for copy in self._rows[self.collection.digests[row].hex()]
            }
            self._write(given)
            self._skipped -= given.keys()

    def skip(self, rows: Iterable[int]) -> None:
        """Leave photographs out of what is shown, until the page is started again."""
        with self._lock:
            self._skipped |= {self._checked(row) for row in rows}

    def undo(self) -> list[PhotographDocument]:
        """Take back what was written last; return the photographs."""
        with self._lock:
            if not self._before:
                return []
            before = self._before[-1]
            self._write(before, remember=False)
            self._before.pop()
            self._skipped -= before.keys()
            return [self._photograph(Shown(row, self._why[row])) for row in sorted(before)][:MOST]

    def add_class(self, name: str) -> None:
        """Add a class that has no photographs yet."""
        with self._lock:
            name = _class_name(name)
            if not name:
                raise OptionError("a class needs a name")
            if name not in self.classes:
                self.classes.append(name)

    def rename(self, old: str, new: str) -> None:
        """Rename a class; to the name of another, and the two are one."""
        with self._lock:
            new = _class_name(new)
            if old not in self.classes or not new:
                raise OptionError(f"no class {shown(old)!r} to rename to {shown(new)!r}")
            rows = {row: Given(new, RENAMED) for row, g in enumerate(self._given) if g == old}
            place = self.classes.index(old)
            self._write(rows)
            self._guesser.rename(old, new)
            kept = [name for name in self.classes if name not in (old, new)]
            kept.insert(min(place, len(kept)), new)
            self.classes = kept

    # What the page shows

    def next(self, count: int) -> list[PhotographDocument]:
        """Return photographs to label, waiting for a head that is being fitted, a little."""
        self.wait(PATIENCE)
        with self._lock:
            done = np.array([bool(label) for label in self._given])
            done[list(self._skipped)] = True
            guesses = self._guesser.latest
            batch = what_next(
                self._looks, done, guesses.probabilities if guesses else None, count, self.seed
            )
            for photograph in batch:
                self._why[photograph.row] = photograph.why
            return [self._photograph(each) for each in batch]

    def review(self, count: int) -> list[PhotographDocument]:
        """Return labelled photographs whose labels are doubted most, those kept left out."""
        with self._lock:
            y = self._y()
            rows = np.flatnonzero(y >= 0)
            kept = {
                row
                for row in rows.tolist()
                if self.file.labels[self._names[row]].reason in (KEPT, CORRECTED)
            }
            present, own = np.unique(y[rows], return_inverse=True)
        if len(present) < 2:
            return []
        collection = self.collection.some(rows)
        names = [self.classes[number] for number in present]
        doubts = doubt_labels(
            collection.X, own, self._looks.alike[rows], names, self.seed, collection.taps
        )
        found = []
        for row, suggested, best in zip(doubts.rows, doubts.suggested, doubts.best, strict=True):
            if int(rows[row]) not in kept:
                photograph = self._photograph(Shown(int(rows[row]), DOUBTED))
                photograph["guess"], photograph["share"] = names[suggested], float(best)
                found.append(photograph)
        return found[:count]

    def listed(self, label: str | None, start: int, count: int) -> list[PhotographDocument]:
        """Return photographs of a class in their order; of none where ``""``, all where None."""
        with self._lock:
            rows = [row for row, own in enumerate(self._given) if label is None or own == label]
            return [self._photograph(Shown(row, "")) for row in rows[start : start + count]]

    def state(self) -> StateDocument:
        """Return what the page says at all times."""
        with self._lock:
            counts, guesses = Counter(self._given), self._guesser.latest
            classes: list[ClassDocument] = [
                {"name": name, "photographs": counts[name]} for name in self.classes
            ]
            return {
                "photographs": len(self._given),
                "labelled": len(self._given) - counts[UNLABELLED],
                "classes": classes,
                "quality": guesses.quality if guesses else None,
                "learning": self._guesser.learning,
                "undo": len(self._before),
                "file": shown(self.file.path),
            }

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the head that is being fitted, if there is one."""
        self._guesser.wait(seconds)

    # How it is done

    def _write(self, given: Mapping[int, Given], *, remember: bool = True) -> None:
        none = Given(UNLABELLED)
        before = {row: self.file.labels.get(self._names[row], none) for row in given}
        self.file.put({self._names[row]: label for row, label in given.items()})
        for row, label in given.items():
            self._given[row] = label.label
            if label.label and label.label not in self.classes:
                self.classes.append(label.label)
        if remember:
            self._before.append(before)
        self._guesser.again()

    def _labels(self) -> Labels:
        with self._lock:
            reasons = [self.file.labels.get(name, Given("")).reason for name in self._names]
            return Labels(self._y(), list(self.classes), reasons)

    def _y(self) -> NDArray[np.intp]:
        index = {name: number for number, name in enumerate(self.classes)}
        return np.array([index.get(label, -1) for label in self._given], dtype=np.intp)

    def _photograph(self, photograph: Shown) -> PhotographDocument:
        row, guesses = photograph.row, self._guesser.latest
        guess = guesses.best[row] if guesses and guesses.best[row] in self.classes else None
        return {
            "row": row,
            "name": below(self.collection.images[row].path, self.collection.root),
            "picture": self.collection.digests[row].hex(),
            "label": self._given[row] or None,
            "guess": guess,
            "share": float(guesses.probabilities[row].max()) if guesses and guess else None,
            "why": photograph.why,
        }

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self._names):
            raise OptionError(f"no photograph {row}")
        return row

    def picture(self, digest: str) -> Reference:
        """Return the photograph of these bytes, and of no others.

        Raises
        ------
        OptionError
            If there is none.
        """
        if digest not in self._rows:
            raise OptionError("no such photograph")
        return self.collection.images[self._rows[digest][0]].path

    def fit(self, out: Path) -> FittedDocument:
        """Fit a classifier to the labels as ``headstart fit head`` does, and save it.

        Raises
        ------
        DataError
            If the labels are too few to fit and evaluate one.
        """
        dataset = read_dataset(self.file.path)
        run = fit_heads(dataset, self.source, HeadSettings(seed=self.seed), out)
        evaluation = run.best["evaluation"]
        return {
            "path": shown(out),
            "accuracy": evaluation["accuracy"],
            "ci95": evaluation["ci95"],
            "n": evaluation["n"],
            "split": evaluation["split"],
            "warnings": run.warnings,
        }


def open_session(
    collection: Collection, source: FeatureSource, out: Path, seed: int = 0
) -> tuple[Session, list[str]]:
    """Return a session whose labels go into ``out``, and what is worth telling.

    Raises
    ------
    DataError
        If there is nothing to label, or ``out`` cannot be written.
    """
    named = [row for row, image in enumerate(collection.images) if _is_text(str(image.path))]
    if not named:
        raise DataError(f"no photographs to label in {shown(collection.root)}")
    left_out = len(collection.images) - len(named)
    lines = [f"{left_out:,} names are not UTF-8: left out; rename them"] if left_out else []
    session = Session(collection.some(np.array(named)), source, LabelFile(out), seed)
    return session, [*collection.warnings, *lines]


def _class_name(text: str) -> str:
    name = spelling(text)
    if len(name) > LONGEST or not _is_text(name):
        raise OptionError(f"a class's name has at most {LONGEST} characters, all of them text")
    return name


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
