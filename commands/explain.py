"""``headstart explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import HeadstartError
from .options import MACHINE, Json, Quiet, TrustJoblib, takes

if TYPE_CHECKING:
    from ..classify.explain.explanation import Explanation
    from ..extract.recipe import Execution


@takes(MACHINE)
def explain_images(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What 'fit head --out' wrote.")],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Images, folders, patterns, shards, URLs."),
    ],
    method: Annotated[
        str,
        typer.Option(
            help="cam (exact, for linear heads on average pooling), grad-cam (heads with a "
            "gradient), occlusion (any head), or auto: the first that the head allows."
        ),
    ] = "auto",
    label: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="Explain this class. Default: the most probable."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="The training data. Default: where it was when the model was fitted."),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(min=0, help="Nearest training images to name an image.")
    ] = 5,
    *,
    trust_joblib: TrustJoblib = False,
    weights: str | None,
    execution: "Execution",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for index.html and a PNG an image, with the map on it."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show where a classifier looked, and which training images an image resembles.

    Example: headstart explain photographs.headstart holiday/1.jpg --out why
    """
    from ..classify.explain.explain import explain
    from ..classify.explain.page import write_page
    from ..classify.saved.load import load_model
    from ..console import print_json, say, stages, warn
    from ..text import shown

    classifier = load_model(model, weights=weights, trust_joblib=trust_joblib)
    with stages(quiet=quiet):
        explanations = explain(
            classifier, images, execution, method, label=label, data=data, nearest=neighbours
        )
        written = (
            None
            if out is None or not explanations.images
            else write_page(explanations, model, out, execution.max_pixels)
        )
    if as_json:
        print_json(explanations.to_dict(written))
    else:
        for explanation in explanations.images:
            _print(explanation)
        if explanations.images:
            say(f"method: {explanations.choice.method}, because {explanations.choice.why}")
        if written is not None:
            say(f"page: {written.page}")
    if not quiet:
        for line in explanations.remarks:
            warn(line)
        for failure in explanations.failures:
            warn(f"{shown(failure.path)}: {failure.reason}")
    if not explanations.images:
        raise HeadstartError(f"none of the {len(explanations.failures)} images could be explained")


def _print(explanation: "Explanation") -> None:
    from ..console import print_table, say
    from ..text import shown

    say(
        f"{shown(explanation.path)}: {shown(explanation.label)}, probability {explanation.top[0][1]:.3f}"
    )
    if explanation.explained != explanation.label:
        say(
            f"explained: {shown(explanation.explained)}, probability {dict(explanation.top)[explanation.explained]:.3f}"
        )
    if explanation.neighbours:
        print_table(
            ["nearest training image", "label", "agrees", "similarity"],
            [
                [
                    shown(near.path),
                    shown(near.label),
                    "yes" if near.label == explanation.label else "no",
                    f"{near.similarity:.3f}",
                ]
                for near in explanation.neighbours
            ],
            texts=3,
            paths=["nearest training image"],
        )
    say("")
