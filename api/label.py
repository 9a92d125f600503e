"""``headstart.label``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, Unpack

from ..classify.data.collection import load_collection
from ..classify.label.documents import StateDocument
from ..classify.label.serve import serving
from ..classify.label.session import Session, open_session
from ..extract.images.images import Dataset
from .data import open_data
from .options import FeatureOptions, Place, source_of
from .result import Block, Result


@dataclass(frozen=True, repr=False)
class Labelling(Result):
    """A page that photographs are labelled on, served until it is closed; a context manager."""

    session: Session
    url: str  # of the page
    remarks: list[str]
    _open: ExitStack

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.remarks

    def to_dict(self) -> StateDocument:
        """Return what the page says: how far it is, the classes, how good a classifier is by now."""
        return self.session.state()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows of the manifest."""
        labels = self.session.file.labels.items()
        return [{"path": path, **given._asdict()} for path, given in labels]

    def blocks(self) -> Iterator[Block]:
        """Yield where the page and the labels are, and how many there are."""
        state = self.to_dict()
        yield (
            f"{self.url}: {state['labelled']:,} of {state['photographs']:,} labelled, in "
            f"{state['file']}"
        )

    def close(self) -> None:
        """Serve no more; the labels are on the disk."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def label(
    data: Place | Dataset,
    out: Place = "labels.csv",
    *,
    model: Place = "labels.headstart",
    unlabelled: bool = False,
    host: str = "127.0.0.1",
    port: int = 8001,
    seed: int = 0,
    columns: str | None = None,
    max_failures: str | None = None,
    **options: Unpack[FeatureOptions],
) -> Labelling:
    """Open a page to label photographs on, the most telling ones first, in a thread of its own.

    Parameters
    ----------
    data, columns, max_failures, **options
        As those of :func:`headstart.fit_head`; labels may be missing.
    out : path
        The manifest that labels go into, at once; what it has is gone on with.
    model : path
        Where the page's button saves a classifier.
    unlabelled : bool
        Take no label from ``data``.
    host, port : str and int
        Where to listen; port 0 takes a free one.
    seed : int
        Of orders and folds.

    Returns
    -------
    Labelling
        Prints as the page's address; ``to_frame()`` has the labels so far.

    Raises
    ------
    DataError
        If there is nothing to label, or ``out`` cannot be written.
    HeadstartError
        If the address cannot be had.
    OptionError
        If the extra ``serve`` is not installed.

    Examples
    --------
    >>> import headstart
    >>> with headstart.label("photographs", unlabelled=True, port=0) as page:
    ...     page.to_dict()["labelled"], page.url.startswith("http://127.0.0.1:")
    (0, True)
    """
    dataset = open_data(data, columns, needs_labels=False)
    if unlabelled:
        dataset = dataset.without_labels()
    source = source_of(options, dataset)
    collection = load_collection(dataset, source, max_failures)
    session, remarks = open_session(collection, source, Path(out), seed)
    with ExitStack() as opened:
        opened.enter_context(session.file)
        url, loopback = opened.enter_context(serving(session, (host, port), Path(model)))
        if not loopback:
            remarks.append(f"other machines can reach {host}, and there is no authentication")
        return Labelling(session, url, remarks, opened.pop_all())
