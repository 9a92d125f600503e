"""``headstart predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    from ..classify.predict import predict
    from ..console import print_json, print_table, stages, warn
    from ..extract.dataset import shown

    classifier = load(model, trust_joblib=trust_joblib)
    with stages(quiet=quiet) as stage:
        predictions, failures = predict(classifier, paths, options, top, stage("predicting"))
    failed = [{"path": shown(f.path), "reason": f.reason} for f in failures]
    if as_json:
        documents = [
            {
                "path": shown(p.path),
                "label": p.top[0][0],
                "probability": p.top[0][1],
                "top": [{"label": name, "probability": value} for name, value in p.top],
            }
            for p in predictions
        ]
        print_json({"version": 1, "predictions": documents, "failed": failed})
    else:
        print_table(
            ["image", "label", "probability", "next"],
            [
                [shown(p.path), p.top[0][0], f"{p.top[0][1]:.3f}", _others(p.top[1:])]
                for p in predictions
            ],
        )
        if not quiet:
            for failure in failed:
                warn(f"{failure['path']}: {failure['reason']}")
    if not predictions:
        raise HeadstartError(f"none of the {len(failed)} images could be labelled")


def _others(top: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in top)
