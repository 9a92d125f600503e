"""``headstart fit rank``."""

from typing import Annotated, Any

import typer

from .asking import asks
from .options import RANKED, Columns, Data, Json, Quiet, Seed


@asks("rank", RANKED)
def rank_features(
    data: Data,
    *,
    options: dict[str, Any],
    images: Annotated[int, typer.Option(min=2, help="Training images to score on, at most.")] = 500,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Time each backbone that is not cached, some 10 to 30 seconds each, instead of "
            "scaling a timed one by multiply-adds.",
        ),
    ] = False,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rank cached features by logreg's accuracy on a few images, and price what is not cached.

    With --backbone: rank these alone, extracting what the cache lacks of the few images.

    Example: headstart fit rank photographs/
    """
