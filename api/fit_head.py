"""``headstart.fit_head``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from ..classify.data.sampling import draw_sample
from ..classify.fit.agreement import describe
from ..classify.fit.fit_heads import HeadSettings, HeadsRun, fit_heads
from ..classify.saved.records import HeadDocument, HeadRecord, HeadsDocument, MoreRowsDocument
from ..classify.statistics.metrics import FigureDocument
from ..extract.images.images import Dataset
from ..tables import TextTable
from .data import open_data, path_of
from .options import FeatureOptions, Place, Several, several, source_of
from .result import Block, Result, evaluation_cells

HEADER = ["head", "cross-validated", "accuracy", "95 % interval", "macro-F1", "log loss", "seconds"]


@dataclass(frozen=True, repr=False)
class FittedHeads(Result):
    """The heads that were fitted, the cheapest first, and the best of them."""

    run: HeadsRun

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each."""
        return self.run.warnings

    @property
    def best(self) -> HeadRecord:
        """The record of the head that the rule picks."""
        return self.run.best

    def figures(self) -> dict[str, FigureDocument]:
        """Return every metric of the best head on the evaluation split, with its interval."""
        return self.run.figures()

    def to_dict(self) -> HeadDocument | HeadsDocument:
        """Return the ``fit head`` contract."""
        return self.run.document()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return what is told of each head."""
        keys = ("model", "cv", "evaluation", "seconds", "params", "trainable_parameters")
        return [{key: record.get(key) for key in keys} for record in self.run.records]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        run, best = self.run, self.best
        yield TextTable(HEADER, [_row(record) for record in run.records])
        evaluation, taps = best["evaluation"], best["taps"]
        yield (
            f"accuracy on the {evaluation['n']} images of the {evaluation['split']} split, used once"
        )
        yield "cross-validated: mean ± standard deviation over the folds"
        if cheaper := run.cheaper():
            yield f"cheaper and within one standard error of the best: {', '.join(cheaper)}"
        chosen = ", ".join(f"{name} = {value}" for name, value in best["params"].items())
        seen = f"{', '.join(taps['layers'])}, {taps['views']}"
        seconds = best["seconds"]["features"]
        yield f"{best['model']} on {seen}: {chosen}; {seconds:.1f} s for features"
        if best["more_rows"] is not None:
            yield _more_rows(best["more_rows"])
        if best["precision"] is not None:
            yield f"{best['precision']['precision']}: {describe(best['precision'])}"
        if best["path"] is not None:
            yield f"saved: {best['path']}"
            yield f"model card: {best['card']}"


def _more_rows(few: MoreRowsDocument) -> str:
    """Say whether more images than it takes to choose a strength were worth their time."""
    low, high = (100 * bound for bound in few["ci95"])
    worse, better = (100 * bound for bound in few["difference_ci95"])
    return (
        f"fitted on {few['images']:,} of its {few['of']:,} images alone: "
        f"{100 * few['accuracy']:.1f} % ({low:.1f} to {high:.1f}); all of them won "
        f"{100 * few['difference']:+.1f} ({worse:+.1f} to {better:+.1f}), p = {few['mcnemar_p']:.2g}"
    )


def _row(record: HeadRecord) -> list[str]:
    cv = record["cv"]
    return [
        record["model"],
        f"{100 * cv['mean']:.1f} ± {100 * cv['std']:.1f} %",
        *evaluation_cells(record["evaluation"]),
        f"{record['seconds']['fit']:.1f}",
    ]


def fit_head(
    data: Place | Dataset,
    model: Several[str] = "logreg",
    *,
    rule: str = "best",
    class_weight: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    out: Place | None = None,
    license: str | None = None,
    columns: str | None = None,
    max_failures: str | None = None,
    embed: bool = False,
    accept_loss: bool = False,
    **options: Unpack[FeatureOptions],
) -> FittedHeads:
    """Train heads on cached features, extracting what is missing, and evaluate each once.

    Parameters
    ----------
    data : path, URL or Dataset
        A folder, a manifest or shards, see ``docs/data.md``.
    model : str or sequence of str
        ``"auto"`` (the fast ones), ``"all"``, or names in the table of heads.
    rule : str
        ``"best"`` cross-validated accuracy, or ``"one-se"``: the cheapest head within one
        standard error of it.
    class_weight : str, optional
        ``"balanced"`` counts each class alike.
    sample : int, optional
        Training images, each class by its share; all when None.
    seed : int
        Seeds folds, estimators and the sample.
    out : path, optional
        File for the (best) classifier.
    license : str, optional
        Of the classifier, for its card.
    columns : str, optional
        A manifest's columns, such as ``"path=filename,label=class"``.
    max_failures : str, optional
        Images that may fail, such as ``"10"`` or ``"5%"``; all but one when None.
    embed : bool
        Put the backbone's file into the classifier's, to travel.
    accept_loss : bool
        Take reduced precision though it costs the linear head more than noise.
    **options
        Backbone, layers, cache and more, see
        :class:`headstart.api.options.FeatureOptions`.

    Returns
    -------
    FittedHeads
        Prints as a table; ``best`` is the record of the best.

    Raises
    ------
    DataError
        If the dataset cannot be used, or too many images failed.
    OptionError
        If a name or value is unknown.

    Examples
    --------
    >>> import headstart
    >>> fitted = headstart.fit_head("photographs", model="auto", out="new.headstart")
    >>> fitted.best["evaluation"]["accuracy"]
    1.0
    >>> fitted.to_frame()[["model", "evaluation_ci95_low"]].head(2).round(2).to_dict("list")
    {'model': ['centroid', 'gaussian-nb'], 'evaluation_ci95_low': [0.61, 0.61]}
    """
    dataset = draw_sample(open_data(data, columns), sample, seed)
    run = fit_heads(
        dataset,
        source_of(options, dataset),
        HeadSettings([*several(model)], seed, class_weight, rule),
        out=path_of(out),
        licence=license,
        max_failures=max_failures,
        embed=embed,
        accept_loss=accept_loss,
    )
    return FittedHeads(run)
