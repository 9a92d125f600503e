"""``headstart predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import HeadstartError
from .options import (
    Json,
    Quiet,
    TrustJoblib,
    running_options,
    takes,
)

if TYPE_CHECKING:
    from ..extract.features import FeatureOptions


@takes(running_options)
def predict_images(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'fit head --out' wrote.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images and folders.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to name an image.")] = 3,
    abstain: Annotated[
        float | None,
        typer.Option(
            metavar="COVERAGE",
            help="Share of images to label, over 0 and up to 1: the most unusual others are left "
            "to a person. Default: all are labelled.",
        ),
    ] = None,
    *,
    trust_joblib: TrustJoblib = False,
    options: "FeatureOptions",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label new images with a saved classifier.

    Example: headstart predict photographs.headstart holiday/ --top 1
    """
    from ..classify.model import load
    from ..classify.predict import abstainer_of, predict
    from ..console import print_json, print_table, say, stages, warn
    from ..extract.dataset import shown

    classifier = load(model, trust_joblib=trust_joblib)
    with stages(quiet=quiet) as stage:
        predictions, failures = predict(
            classifier, paths, options, top, stage("predicting"), abstain
        )
    failed = [{"path": shown(f.path), "reason": f.reason} for f in failures]
    promise: dict[str, Any] = {}
    if abstain is not None:
        promise = {"abstention": abstainer_of(classifier).promise(abstain)}
    if as_json:
        documents = [
            {
                "path": shown(p.path),
                "label": p.label,
                "probability": p.top[0][1],
                "abstained": p.abstained,
                "top": [{"label": name, "probability": value} for name, value in p.top],
            }
            for p in predictions
        ]
        print_json({"version": 1, "predictions": documents, "failed": failed, **promise})
    else:
        print_table(
            ["image", "label", "probability", "next"],
            [
                [
                    shown(p.path),
                    p.label or "unsure",
                    f"{p.top[0][1]:.3f}",
                    _others(p.top if p.abstained else p.top[1:]),
                ]
                for p in predictions
            ],
        )
        if abstain is not None and predictions:
            count = sum(p.abstained for p in predictions)
            say(f"unsure of {count} of {len(predictions)} images")
            say(_kept(promise["abstention"]))
        if not quiet:
            for failure in failed:
                warn(f"{failure['path']}: {failure['reason']}")
    if not predictions:
        raise HeadstartError(f"none of the {len(failed)} images could be labelled")


def _others(top: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in top)


def _kept(promise: dict[str, Any]) -> str:
    """Say what labelling at this coverage meant on the training images."""
    from ..console import interval

    return (
        f"out of fold, {100 * promise['coverage']:.1f} % of the training images are labelled, "
        f"{100 * promise['risk']:.1f} % of those wrongly (95 % interval "
        f"{interval(promise['risk_ci95'])})"
    )
