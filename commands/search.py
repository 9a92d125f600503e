"""``headstart search``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OptionError
from .dataset import read_data
from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, TrustJoblib, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions
    from ..classify.search.search import Search


@takes(FEATURES)
def search_data(
    data: Data,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGE", help="What to look for; repeat for the mean of several."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Look for a --class of this saved classifier instead.")
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="One of the --model's.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Photographs to find.")] = 20,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    trust_joblib: TrustJoblib = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for search.html, a page of thumbnails.")
    ] = None,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the photographs that look most like some, by the cosine of cached features.

    No labels are needed. Every photograph is compared; nothing is approximated.

    Example: headstart search photographs/ --like uakari.jpg --top 30 --out found
    """
    from ..api.options import execution_of, source_of
    from ..classify.saved.load import load_model
    from ..classify.search.page import write_search
    from ..classify.search.search import search_class, search_like
    from ..console import print_json, say, stages, warn_all

    if bool(like) == (model is not None) or (model is None) != (label is None):
        raise OptionError("name what to look for: --like IMAGE, or --model MODEL --class NAME")
    dataset = read_data(data, columns, quiet=quiet, needs_labels=False)
    with stages(quiet=quiet):
        if model is not None and label is not None:
            classifier = load_model(model, trust_joblib=trust_joblib, to_label=True)
            found = search_class(dataset, classifier, label, execution_of(options), top)
        else:
            source = source_of(options, dataset)
            found = search_like(dataset, like or [], source, top, max_failures)
        page = None if out is None else write_search(found, out)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
        if page is not None:
            say(f"\npage: {page}")
    warn_all(found.warnings, quiet=quiet)


def _print(search: "Search") -> None:
    from ..console import print_table
    from ..text import below, shown

    root = search.dataset.root
    print_table(
        ["photograph", "label", search.score],
        [
            [below(found.path, root), shown(found.label), f"{found.score:.3f}"]
            for found in search.results
        ],
        texts=2,
        paths=["photograph"],
    )
