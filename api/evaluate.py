"""``headstart.evaluate``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from ..classify.data.class_map import read_class_map
from ..classify.predict.classifier import Classifier
from ..classify.predict.evaluate_model import EvaluationRun, evaluate_model
from ..classify.predict.evaluation_record import (
    Abstaining,
    ComparedWith,
    EvaluateDocument,
    Mistake,
)
from ..classify.predict.older import compare_with as compare_with_older
from ..classify.predict.older import gated_figures
from ..classify.statistics.confusion import ClassFigures, ConfusedPair
from ..classify.statistics.metrics import METRICS, FigureDocument
from ..extract.images.images import Dataset
from ..tables import TextTable
from ..text import shown
from .data import open_data, open_model
from .options import ModelOptions, Place, Several, execution_of, several
from .result import Block, Result

WIDEST = 12  # classes whose confusion fits a terminal
CLASSES = 40  # that are listed
PAIRS = 10
NAMED = 5  # classes in a line


@dataclass(frozen=True, repr=False)
class Evaluated(Result):
    """Figures with intervals, classes, confusion, mistakes."""

    run: EvaluationRun
    mistakes: int  # to print

    @property
    def warnings(self) -> Sequence[str]:
        """What is worth telling, a line each; images that could not be read are there."""
        failed = self.run.record["failed"]
        return [*self.run.warnings, *(f"{each['path']}: {each['reason']}" for each in failed)]

    def figures(self) -> Mapping[str, FigureDocument]:
        """Return every metric with its interval; with another model, ``difference``, too."""
        return gated_figures(self.run.record)

    def to_dict(self) -> EvaluateDocument:
        """Return the contract of ``evaluate --json``."""
        return self.run.record

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the metrics."""
        return [{"figure": key, **figure} for key, figure in self.figures().items()]

    def blocks(self) -> Iterator[Block]:
        """Yield what the command prints."""
        record = self.run.record
        data, n = record["data"], record["evaluation"]["n"]
        which = "all images" if data["split"] == "all" else f"the {data['split']} split"
        yield f"{record['model']} on {n:,} images: {which} of {data['path']}\n"
        yield _figures(record)
        yield from _classes(record["per_class"])
        yield from _confusion(record["confusion"], record["per_class"])
        yield from _pairs(record["most_confused"])
        yield from _mistakes(record["mistakes"], self.mistakes)
        if "abstention" in record:
            yield from _abstention(record["abstention"])
        if "compared_with" in record:
            yield _compared(record["compared_with"])


def _figures(record: EvaluateDocument) -> TextTable:
    accuracy = METRICS["accuracy"]
    rows = [
        [METRICS[key].title, METRICS[key].text(figure["value"]), METRICS[key].range(figure["ci95"])]
        for key, figure in record["figures"].items()
    ]
    seen = record["seen_in_training"]
    if seen is not None and seen["evaluation"] is not None:
        others = seen["evaluation"]
        name = f"accuracy on the {others['n']:,} not seen in training"
        rows.insert(1, [name, accuracy.text(others["accuracy"]), accuracy.range(others["ci95"])])
    return TextTable(["figure", "value", "95 % interval"], rows)


def _classes(classes: Sequence[ClassFigures]) -> Iterator[Block]:
    held = [row for row in classes if row["f1"] is not None]
    listed = sorted(held, key=lambda row: row["f1"] or 0.0)[:CLASSES]
    yield "\nclasses, the hardest first"
    yield TextTable(
        ["class", "images", "recall", "95 % interval", "precision", "95 % interval", "F1"],
        [
            [
                shown(row["label"]),
                f"{row['images']:,}",
                *_share(row["recall"], row["recall_ci95"]),
                *_share(row["precision"], row["precision_ci95"]),
                f"{row['f1']:.3f}",
            ]
            for row in listed
        ],
    )
    if len(held) > len(listed):
        yield f"… and {len(held) - len(listed):,} more: --json has all"
    absent = [shown(row["label"]) for row in classes if row["f1"] is None]
    if absent:
        more = f" and {len(absent) - NAMED:,} more" if len(absent) > NAMED else ""
        yield f"no images here, and none taken for it: {', '.join(absent[:NAMED])}{more}"


def _share(value: float | None, bounds: list[float] | None) -> list[str]:
    if value is None or bounds is None:
        return ["–", ""]
    return [METRICS["accuracy"].text(value), METRICS["accuracy"].range(bounds)]


def _confusion(matrix: list[list[int]], classes: Sequence[ClassFigures]) -> Iterator[Block]:
    held = [index for index, row in enumerate(classes) if row["f1"] is not None]
    if len(held) > WIDEST:
        return
    yield "\nconfusion: a row for each true class, a column for what it was taken for"
    names = [f"{number} {shown(classes[index]['label'])}" for number, index in enumerate(held, 1)]
    columns = ["", *(str(number) for number in range(1, len(held) + 1))]
    rows = [[matrix[true][predicted] for predicted in held] for true in held]
    cells = [[str(n) if n else "·" for n in row] for row in rows]
    yield TextTable(columns, [[name, *row] for name, row in zip(names, cells, strict=True)])


def _pairs(pairs: Sequence[ConfusedPair]) -> Iterator[Block]:
    if not pairs:
        return
    yield "\nmost confused"
    yield TextTable(
        ["true", "taken for", "images", "of the class"],
        [
            [
                shown(pair["true"]),
                shown(pair["predicted"]),
                f"{pair['images']:,}",
                f"{100 * pair['share']:.1f} %",
            ]
            for pair in pairs[:PAIRS]
        ],
        texts=2,
    )


def _mistakes(mistakes: Sequence[Mistake], count: int) -> Iterator[Block]:
    yield f"\n{len(mistakes):,} mistakes" + (", the surest first" if mistakes and count else "")
    if not mistakes or not count:
        return
    yield TextTable(
        ["image", "true", "predicted", "probability", "of the true"],
        [
            [
                mistake["path"],
                shown(mistake["true"]),
                shown(mistake["predicted"]) + (" (unsure)" if mistake.get("abstained") else ""),
                f"{mistake['probability']:.3f}",
                f"{mistake['probability_of_true']:.3f}",
            ]
            for mistake in mistakes[:count]
        ],
        texts=3,
        paths=["image"],
    )
    if len(mistakes) > count:
        yield f"… and {len(mistakes) - count:,} more: --mistakes {len(mistakes)} or --json shows all"


def _abstention(abstention: Abstaining) -> Iterator[Block]:
    yield "\nabstention: what is labelled when the most unusual images are left to a person"
    points = {point["wished"]: point for point in abstention["curve"]}
    points[abstention["kept"]["wished"]] = abstention["kept"]
    yield TextTable(
        ["wished", "labelled", "of those wrong", "95 % interval"],
        [
            [
                f"{100 * wished:.4g} %",
                f"{100 * point['coverage']:.1f} %",
                *_share(point["risk"], point["risk_ci95"]),
            ]
            for wished, point in sorted(points.items())
        ],
    )


def _compared(other: ComparedWith) -> str:
    tests = other["tests"]
    low, high = (100 * bound for bound in tests["difference_ci95"])
    return (
        f"\n{other['verdict']}: {other['model']} of {other['path']} has "
        f"{100 * other['evaluation']['accuracy']:.1f} % on the same images, this one "
        f"{100 * tests['difference']:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}, "
        f"McNemar p = {tests['mcnemar_p']:.2g})"
    )


def evaluate(
    model: Place | Classifier,
    data: Place | Dataset,
    split: str | None = None,
    *,
    class_map: Several[str] = None,
    abstain: float | None = None,
    mistakes: int = 10,
    compare_with: Place | None = None,
    trust_joblib: bool = False,
    max_failures: str | None = None,
    seed: int = 0,
    columns: str | None = None,
    **options: Unpack[ModelOptions],
) -> Evaluated:
    """Evaluate a saved classifier on labelled images, with intervals.

    Parameters
    ----------
    model : path or Classifier
        What ``fit_head`` or ``fit_finetune`` wrote.
    data, columns, max_failures
        As those of :func:`headstart.fit_head`.
    split : str, optional
        ``"train"``, ``"validation"``, ``"test"`` or ``"all"``; test where the dataset has it,
        else validation, else all when None.
    class_map : str or sequence of str, optional
        The dataset's class names to the model's: files, or pairs such as ``"ape=monkey"``.
    abstain : float, optional
        Share of images to label, over 0 and up to 1: also say what that would have meant.
    mistakes : int
        Mistakes to print.
    compare_with : path, optional
        Another saved classifier, labelled with too: a paired test says whether ``model`` is worse.
    trust_joblib : bool
        Load heads of trees too, whose files can run code: for files that you made yourself.
    seed : int
        Seeds the resampling of the intervals.
    **options
        Cache, engine and more, see :class:`headstart.api.options.ModelOptions`.

    Returns
    -------
    Evaluated
        Prints as tables; ``figures()`` has every metric with its interval.

    Raises
    ------
    DataError
        If the dataset cannot be used, or too many images failed.
    ModelError
        If a model cannot be used here.
    OptionError
        If a name or value is unknown.

    Examples
    --------
    >>> import headstart
    >>> evaluated = headstart.evaluate("photographs.headstart", "photographs")
    >>> evaluated.figures()["accuracy"]["value"]
    1.0
    """
    execution = execution_of(options)
    classifier = open_model(model, options.get("weights"), trust_joblib=trust_joblib)
    older = None if compare_with is None else open_model(compare_with, trust_joblib=trust_joblib)
    run = evaluate_model(
        classifier,
        open_data(data, columns),
        execution,
        split,
        read_class_map([*several(class_map)]),
        abstain,
        seed,
        max_failures,
    )
    if older is not None and compare_with is not None:
        run = compare_with_older(run, older, Path(compare_with), execution)
    return Evaluated(run, mistakes)
