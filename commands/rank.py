"""``headstart fit rank``."""

from typing import TYPE_CHECKING, Annotated

import typer

from .dataset import read_data
from .options import Cache, Columns, Data, Json, Quiet, Seed

if TYPE_CHECKING:
    from ..classify.fit.rank import FeatureDocument, PricedFeatures, PriceDocument, RankedFeatures


def rank_features(
    data: Data,
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
    cache: Cache = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rank cached features by logreg's accuracy on a few images, and price what is not cached.

    Example: headstart fit rank photographs/
    """
    from ..cache import default_cache
    from ..classify.fit.rank import rank
    from ..console import print_json, print_table, say, stages, warn_all

    with stages(quiet=quiet):
        results = rank(
            read_data(data, columns, quiet=quiet),
            cache or default_cache(),
            images,
            seed,
            measure=measure,
        )
    warn_all(results["warnings"], quiet=quiet)
    if as_json:
        print_json(results)
        return
    ranked, not_cached = results["ranked"], results["not_cached"]
    if ranked:
        print_table(
            ["features", "images", "logreg, out of fold", "95 % interval", "to extract"],
            [_ranked_row(row) for row in ranked],
        )
        say(
            f"a screening on {results['images']:,} of {results['training_images']:,} training "
            f"images: {_fit_command(str(data), ranked[0])} decides"
        )
    else:
        say("nothing that is cached can be ranked on these images")
    if not_cached:
        say("\nnot cached, the quickest first:")
        print_table(
            ["features", "images", "multiply-adds", "to extract", "timed on"],
            [_price_row(row) for row in not_cached],
        )
        say(
            f"next: headstart extract features {data} {' '.join(not_cached[0]['options'])}".rstrip()
        )


def _fit_command(data: str, row: "RankedFeatures") -> str:
    return f"'{' '.join(['headstart fit head', data, *row['options']])}'"


def _ranked_row(row: "RankedFeatures") -> list[str]:
    from ..console import interval

    return [
        _name(row),
        f"{row['images']:,}",
        f"{100 * row['accuracy']:.1f} %",
        interval(row["ci95"]),
        _seconds(row),
    ]


def _price_row(row: "PricedFeatures") -> list[str]:
    return [
        _name(row),
        f"{row['missing_images']:,}",
        f"{row['multiply_adds']:.3g} G",
        _seconds(row),
        row["timed"] or "–",
    ]


def _name(row: "FeatureDocument") -> str:
    """Return the backbone and the options that make these features of it."""
    options = row["options"]
    return " ".join([row["backbone"], *(options[2:] if "--backbone" in options else options)])


def _seconds(row: "PriceDocument") -> str:
    if row["seconds"] is None:
        return "–"
    return f"{row['seconds']:,.1f} s" if row["missing_images"] else "cached"
