"""``headstart evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .dataset import read_data
from .options import (
    RUNNING,
    Assert,
    Columns,
    Data,
    Json,
    MaxFailures,
    Quiet,
    Seed,
    TrustJoblib,
    takes,
)

if TYPE_CHECKING:
    from ..classify.predict.evaluation_record import (
        Abstaining,
        ComparedWith,
        EvaluateDocument,
        Mistake,
    )
    from ..classify.statistics.confusion import ClassFigures, ConfusedPair
    from ..extract.recipe import Execution

WIDEST = 12  # classes whose confusion fits a terminal
CLASSES = 40  # that are listed
PAIRS = 10
NAMED = 5  # classes in a line


@takes(RUNNING)
def evaluate_data(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="What 'fit head --out' or 'fit finetune --out' wrote."
        ),
    ],
    data: Data,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all. Default: test where DATA has it, else "
            "validation, else all images."
        ),
    ] = None,
    class_map: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE|FROM=TO",
            help="DATA's class names to the model's: a CSV file with the columns from,to, a JSON "
            "object, or one pair; repeat for several. A class mapped to nothing is left out.",
        ),
    ] = None,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Also say what labelling this share of images would have meant here.",
        ),
    ] = None,
    mistakes: Annotated[int, typer.Option(min=0, help="Mistakes to list.")] = 10,
    *,
    compare_with: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD",
            help="Another saved classifier, labelled with too: a paired test says whether MODEL is "
            "worse; --assert then knows the difference in accuracy, such as "
            "difference.ci.low>=-0.02.",
        ),
    ] = None,
    gates: Assert = None,
    trust_joblib: TrustJoblib = False,
    weights: str | None,
    execution: "Execution",
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Evaluate a saved classifier on labelled images, with intervals.

    Images that it was trained on are told. --json has all mistakes.

    Example: headstart evaluate photographs.headstart new-photographs/
    """
    from ..classify.data.class_map import read_class_map
    from ..classify.predict.evaluate_model import evaluate_model
    from ..classify.predict.older import compare_with as compare_with_older
    from ..classify.predict.older import gated_figures
    from ..classify.saved.load import load_model
    from ..classify.statistics.gates import check_gates, check_measured
    from ..console import print_json, stages, warn_all

    check_measured(gates or [], compared=compare_with is not None)
    classifier = load_model(model, weights=weights, trust_joblib=trust_joblib)
    older = None if compare_with is None else load_model(compare_with, trust_joblib=trust_joblib)
    dataset = read_data(data, columns, quiet=quiet)
    with stages(quiet=quiet):
        run = evaluate_model(
            classifier,
            dataset,
            execution,
            split,
            read_class_map(class_map or []),
            abstain,
            seed,
            max_failures,
        )
        if older is not None and compare_with is not None:
            run = compare_with_older(run, older, compare_with, execution)
    if as_json:
        print_json(run.record)
    else:
        _print(run.record, mistakes)
    failures = [f"{failure['path']}: {failure['reason']}" for failure in run.record["failed"]]
    warn_all([*run.warnings, *failures], quiet=quiet)
    check_gates(gates or [], lambda: gated_figures(run.record))


def _print(record: "EvaluateDocument", mistakes: int) -> None:
    from ..console import say

    data, n = record["data"], record["evaluation"]["n"]
    which = "all images" if data["split"] == "all" else f"the {data['split']} split"
    say(f"{record['model']} on {n:,} images: {which} of {data['path']}\n")
    _print_figures(record)
    _print_classes(record["per_class"])
    _print_confusion(record["confusion"], record["per_class"])
    _print_pairs(record["most_confused"])
    _print_mistakes(record["mistakes"], mistakes)
    if "abstention" in record:
        _print_abstention(record["abstention"])
    if "compared_with" in record:
        _print_compared(record["compared_with"])


def _print_compared(other: "ComparedWith") -> None:
    from ..console import say

    tests = other["tests"]
    low, high = (100 * bound for bound in tests["difference_ci95"])
    say(
        f"\n{other['verdict']}: {other['model']} of {other['path']} has "
        f"{100 * other['evaluation']['accuracy']:.1f} % on the same images, this one "
        f"{100 * tests['difference']:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}, "
        f"McNemar p = {tests['mcnemar_p']:.2g})"
    )


def _print_figures(record: "EvaluateDocument") -> None:
    from ..classify.statistics.metrics import METRICS
    from ..console import print_table

    accuracy = METRICS["accuracy"]
    rows = [
        [METRICS[key].title, METRICS[key].text(figure["value"]), METRICS[key].range(figure["ci95"])]
        for key, figure in record["figures"].items()
    ]
    seen = record["seen_in_training"]
    if seen is not None and seen["evaluation"] is not None:
        others = seen["evaluation"]
        name = f"accuracy on the {others['n']:,} not seen in training"
        figure = [accuracy.text(others["accuracy"]), accuracy.range(others["ci95"])]
        rows.insert(1, [name, *figure])
    print_table(["figure", "value", "95 % interval"], rows)


def _print_classes(classes: "list[ClassFigures]") -> None:
    from ..console import print_table, say
    from ..text import shown

    held = [row for row in classes if row["f1"] is not None]
    listed = sorted(held, key=lambda row: row["f1"] or 0.0)[:CLASSES]
    say("\nclasses, the hardest first")
    print_table(
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
        say(f"… and {len(held) - len(listed):,} more: --json has all")
    absent = [shown(row["label"]) for row in classes if row["f1"] is None]
    if absent:
        more = f" and {len(absent) - NAMED:,} more" if len(absent) > NAMED else ""
        say(f"no images here, and none taken for it: {', '.join(absent[:NAMED])}{more}")


def _share(value: float | None, bounds: list[float] | None) -> list[str]:
    from ..console import interval

    if value is None or bounds is None:
        return ["–", ""]
    return [f"{100 * value:.1f} %", interval(bounds)]


def _print_confusion(matrix: list[list[int]], classes: "list[ClassFigures]") -> None:
    from ..console import print_table, say
    from ..text import shown

    held = [index for index, row in enumerate(classes) if row["f1"] is not None]
    if len(held) > WIDEST:
        return
    say("\nconfusion: a row for each true class, a column for what it was taken for")
    names = [f"{number} {shown(classes[index]['label'])}" for number, index in enumerate(held, 1)]
    columns = ["", *(str(number) for number in range(1, len(held) + 1))]
    rows = [[matrix[true][predicted] for predicted in held] for true in held]
    cells = [[str(n) if n else "·" for n in row] for row in rows]
    print_table(columns, [[name, *row] for name, row in zip(names, cells, strict=True)])


def _print_pairs(pairs: "list[ConfusedPair]") -> None:
    from ..console import print_table, say
    from ..text import shown

    if not pairs:
        return
    say("\nmost confused")
    print_table(
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


def _print_mistakes(mistakes: "list[Mistake]", count: int) -> None:
    from ..console import print_table, say
    from ..text import shown

    say(f"\n{len(mistakes):,} mistakes" + (", the surest first" if mistakes and count else ""))
    if not mistakes or not count:
        return
    print_table(
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
        say(f"… and {len(mistakes) - count:,} more: --mistakes {len(mistakes)} or --json shows all")


def _print_abstention(abstention: "Abstaining") -> None:
    from ..console import print_table, say

    say("\nabstention: what is labelled when the most unusual images are left to a person")
    points = {point["wished"]: point for point in abstention["curve"]}
    points[abstention["kept"]["wished"]] = abstention["kept"]
    print_table(
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
