"""``headstart.search``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.predict.classifier import Classifier
from ..classify.search.page import write_search
from ..classify.search.search import Search, SearchDocument, search_class, search_like
from ..errors import OptionError
from ..extract.images.images import Dataset
from ..tables import TextTable
from ..text import below, shown
from .data import open_data, open_model, path_of
from .options import FeatureOptions, Place, Several, execution_of, several, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Searched(Result):
    """The photographs that look most like what was looked for."""

    search: Search
    page: Path | None  # where one was written

    def to_dict(self) -> SearchDocument:
        """Return the contract of ``search --json``."""
        return self.search.to_dict()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the photographs, the best first."""
        return self.to_dict()["results"]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        root = self.search.dataset.root
        yield TextTable(
            ["photograph", "label", self.search.score],
            [
                [below(found.path, root), shown(found.label), f"{found.score:.3f}"]
                for found in self.search.results
            ],
            texts=2,
            paths=["photograph"],
        )
        if self.page is not None:
            yield f"\npage: {self.page}"


def search(
    data: Place | Dataset,
    like: Several[Place] = None,
    *,
    model: Place | Classifier | None = None,
    label: str | None = None,
    top: int = 20,
    out: Place | None = None,
    index: Place | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    trust_joblib: bool = False,
    **options: Unpack[FeatureOptions],
) -> Searched:
    """Find the photographs that look most like some, by the cosine of cached features.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`; labels may be missing.
    like : path or sequence of paths
        What to look for; several stand for their mean.
    model, label : path or Classifier, and str
        Look for a class (``--class``) of this classifier instead.
    top : int
        Photographs to find.
    out : path, optional
        Folder for ``search.html``.
    index : path, optional
        Folder for an approximate index of the dataset, kept and grown: sooner beyond a million.
    trust_joblib : bool
        See :func:`headstart.evaluate`.

    Returns
    -------
    Searched
        Prints as a table, the best first.

    Raises
    ------
    DataError
        If the dataset or an image cannot be used.
    OptionError
        If neither images nor a class are named, or both.

    Examples
    --------
    >>> import headstart
    >>> found = headstart.search("photographs", "photographs/red/0.png", top=3)
    >>> found.to_frame()["label"].to_list()
    ['red', 'red', 'red']
    """
    if bool(like) == (model is not None) or (model is None) != (label is None):
        raise OptionError("name what to look for: --like IMAGE, or --model MODEL --class NAME")
    if index is not None and model is not None:
        raise OptionError("--index is for --like: a class is looked for among all")
    dataset = open_data(data, columns, needs_labels=False)
    if model is not None and label is not None:
        classifier = open_model(model, trust_joblib=trust_joblib, to_label=True)
        found = search_class(dataset, classifier, label, execution_of(options), top)
    else:
        likes = [str(place) for place in several(like)]
        found = search_like(
            dataset, likes, source_of(options, dataset), top, max_failures, path_of(index)
        )
    folder = path_of(out)
    return Searched(found, None if folder is None else write_search(found, folder))
