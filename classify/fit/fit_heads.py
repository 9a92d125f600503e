"""Photographs to evaluated heads: features, split, one head after the other, the best one saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import unknown
from ...extract.backbone.embedded import part_of
from ...extract.images.images import Dataset
from ...extract.source import FeatureSource
from ...progress import stage
from ..data.table import IN_MEMORY, Table, load_table
from ..heads.memory import TooLargeError
from ..heads.table import Head, find_heads
from ..heads.trials import standard_error
from ..saved.card import save_with_card
from ..saved.records import HeadDocument, HeadRecord, HeadsDocument
from ..statistics.metrics import FigureDocument, figures
from ..statistics.sample import Labels, Probabilities
from .agreement import check_loss, compare_precisions
from .fit_head import FittedHead, fit_head, to_model
from .record import give_account, head_record

RULES = ("best", "one-se")


@dataclass(frozen=True)
class HeadSettings:
    """Which heads are fitted, and how one of them is picked."""

    # names in the table of heads, "auto" (the fast ones) or "all"
    names: Sequence[str] = ("logreg",)
    seed: int = 0  # seeds folds and estimators
    # "balanced" counts each class alike; with `auto` and `all`, heads that cannot are left out
    class_weight: str | None = None
    # "best" cross-validated accuracy, or "one-se": the
    # cheapest head within one standard error of it
    rule: str = "best"
    in_memory: int = IN_MEMORY  # bytes of features; more are read in blocks, by heads that can

    def heads(self) -> list[Head]:
        """Return the rows of the table of heads, cheapest first.

        Raises
        ------
        OptionError
            If a name or the rule is unknown, or a named head cannot weigh classes.
        """
        heads = find_heads(self.names)
        if self.rule not in RULES:
            raise unknown("rule", self.rule, list(RULES))
        if self.class_weight is None:
            return heads
        if self.class_weight != "balanced":
            raise unknown("class weight", self.class_weight, ["balanced"])
        heads = [head for head in heads if head.weighs or head.name in self.names]
        for head in heads:
            head.pipeline(self.seed, class_weight=self.class_weight)  # refused by name
        return heads


@dataclass(frozen=True)
class HeadsRun:
    """What ``fit head`` gives."""

    records: list[HeadRecord]  # one a head, cheapest first
    best: HeadRecord  # of the head that the rule picks
    within_one_se: list[str]  # heads within one standard error of the best mean, cheapest first
    warnings: list[str]  # what is worth telling
    truth: Labels  # (n,): classes of the evaluation split
    probabilities: Probabilities  # (n, k): the best head's

    def figures(self) -> dict[str, FigureDocument]:
        """Return every metric of the best head with its interval."""
        return figures(self.truth, self.probabilities, self.best["seed"])

    def document(self) -> HeadDocument | HeadsDocument:
        """Return the ``fit head`` contract: the record of one head, or a list of several."""
        if len(self.records) == 1:
            return {"version": 1, **self.best}
        return {
            "version": 1,
            "heads": self.records,
            "best": self.best["model"],
            "within_one_se": self.within_one_se,
        }

    def cheaper(self) -> list[str]:
        """Return the heads that cost less than the best and are within one standard error."""
        before = self.records[: self.records.index(self.best)]
        return [record["model"] for record in before if record["model"] in self.within_one_se]


def fit_heads(
    dataset: Dataset,
    source: FeatureSource,
    settings: HeadSettings,
    out: Path | None = None,
    licence: str | None = None,
    max_failures: str | None = None,
    *,
    embed: bool = False,
    accept_loss: bool = False,
) -> HeadsRun:
    """Run ``fit head``: one record a head; save the best where told.

    Parameters
    ----------
    dataset : Dataset
        With labels.
    source : FeatureSource
        What to extract.
    settings : HeadSettings
        Which heads, and the rule that picks one.
    out : Path, optional
        File for the best classifier.
    licence : str, optional
        Of the classifier, for its card.
    max_failures : str, optional
        See :func:`headstart.extract.failures.check_failures`.
    embed : bool
        Whether the backbone's file travels inside the classifier's. A network in 8 bits does
        anyway: it is nowhere else.
    accept_loss : bool
        Whether reduced precision may cost more than noise.

    Raises
    ------
    OptionError
        If a setting is unknown, a named head cannot weigh classes, or the precision costs too much.
    """
    heads = settings.heads()  # a typing error must not cost an extraction
    embed = embed or source.spec.precision == "int8"
    also = part_of(source.weights, source.spec.weights_sha256) if embed else {}
    precision = None
    if source.spec.precision != "float32":
        source = source.keeping_engine()
        precision = compare_precisions(dataset, source, settings.seed)
        if not accept_loss:
            check_loss(precision)
    table = load_table(dataset, source, max_failures, in_memory=settings.in_memory)
    fitted, left_out = _fit_each(heads, table, settings)
    best, close = _pick(fitted, settings.rule)
    records = [
        head_record(head, table, dataset, settings.seed, out if head is best else None, precision)
        for head in fitted
    ]
    record = records[fitted.index(best)]
    remarks = [line for head in fitted for line in head.choice.warnings]
    if out is not None:
        stage("writing the model card")
        record["account"] = give_account(table, best.probabilities, settings.seed, licence)
        save_with_card(to_model(best, table, source, record), out, also)
        remarks += _tell_joblib(best.head, out)
    return HeadsRun(
        records,
        record,
        [head.head.name for head in close],
        [*table.warnings, *left_out, *remarks],
        table.y[table.split.evaluation],
        best.probabilities,
    )


def _fit_each(
    heads: Sequence[Head], table: Table, settings: HeadSettings
) -> tuple[list[FittedHead], list[str]]:
    """Fit the heads; return them, and a line for each that was not named and is too large."""
    fitted: list[FittedHead] = []
    left_out: list[str] = []
    for head in heads:
        stage(f"fitting {head.name}")
        try:
            fitted.append(fit_head(head, table, settings.seed, settings.class_weight))
        except TooLargeError as error:
            if head.name in settings.names or (head is heads[-1] and not fitted):
                raise
            left_out.append(f"{head.name} is left out: {error}")
    return fitted, left_out


def _pick(fitted: Sequence[FittedHead], rule: str) -> tuple[FittedHead, list[FittedHead]]:
    """Return the head that the rule picks, and all within one standard error of the best mean."""
    top = max(fitted, key=lambda head: head.choice.cv["mean"])
    cv = top.choice.cv
    floor = cv["mean"] - standard_error(cv["std"], cv["folds"])
    close = [head for head in fitted if head.choice.cv["mean"] >= floor]  # cheapest first
    return (top if rule == "best" else close[0]), close


def _tell_joblib(head: Head, path: Path) -> list[str]:
    if head.saved == "skops":
        return []
    line = (
        f"{path} holds trees, written by joblib: it loads only with --trust-joblib, since such "
        "a file can run code; do not pass it on, or train another head"
    )
    return [line]
