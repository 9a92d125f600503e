"""``headstart label``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FEATURES, Columns, Data, Json, MaxFailures, Quiet, Seed, takes

if TYPE_CHECKING:
    from ..api.options import FeatureOptions
    from ..classify.data.collection import Collection
    from ..classify.label.simulate import NeededDocument, SimulationDocument
    from ..extract.source import FeatureSource


@takes(FEATURES)
def label_data(
    data: Data,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The manifest that labels go into, a row each.")
    ] = Path("labels.csv"),
    model: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the page's button saves a classifier.")
    ] = Path("labels.headstart"),
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Take no label from DATA: its folders say nothing.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default this machine alone reaches it.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8001,
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Open no page: give the labels of DATA in the page's order and in random order, and "
            "say how accuracy grows.",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each order that is simulated.")] = 5,
    labels: Annotated[int, typer.Option(min=10, help="Labels that are simulated.")] = 300,
    goal: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Accuracy: how many simulated labels reach it?"),
    ] = None,
    *,
    options: "FeatureOptions",
    max_failures: MaxFailures = None,
    seed: Seed = 0,
    columns: Columns = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label photographs on a page of this machine, the most telling ones first.

    The first line on standard output is the page's address. Labels are on the disk at once, in a
    manifest that 'fit head' takes; the same command goes on where it was.

    Example: headstart label photographs/ --out labels.csv
    """
    from ..api.data import open_data
    from ..api.options import source_of
    from ..classify.data.collection import load_collection
    from ..console import print_json, stages

    with stages(quiet=quiet):
        dataset = open_data(data, columns, needs_labels=False)
        if unlabelled:
            dataset = dataset.without_labels()
        source = source_of(options, dataset)
        collection = load_collection(dataset, source, max_failures)
        if not simulate:
            _serve(collection, source, (host, port), (out, model), seed, quiet=quiet)
            return
        from ..classify.label.simulate import simulate as run

        document = run(collection, seeds, labels, goal)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _serve(
    collection: "Collection",
    source: "FeatureSource",
    address: tuple[str, int],
    files: tuple[Path, Path],
    seed: int,
    *,
    quiet: bool,
) -> None:
    from ..classify.label.serve import serve
    from ..classify.label.session import open_session
    from ..console import say, warn, warn_all
    from ..progress import note

    out, model = files
    session, remarks = open_session(collection, source, out, seed)
    warn_all(remarks, quiet=quiet)

    def ready(url: str, loopback: bool) -> None:
        say(url)
        note(f"labels go into {out}; Ctrl-C ends it, the same command goes on from there")
        if not loopback and not quiet:
            warn(f"other machines can reach {address[0]}, and there is no authentication")

    serve(session, address, model, ready, lambda: note("ending"))


def _print(document: "SimulationDocument") -> None:
    from ..console import interval, print_table, say

    for strategy in document["strategies"]:
        say(f"{strategy['name']} order")
        print_table(
            ["labels", "accuracy", "95 % interval"],
            [
                [str(point["labels"]), f"{100 * point['accuracy']:.1f} %", interval(point["ci95"])]
                for point in strategy["points"]
            ],
        )
    evaluation, goal = document["evaluation"], document["goal"]
    say(
        f"{document['pool']:,} photographs to label, evaluated on the {evaluation['n']:,} of the "
        f"{evaluation['split']} split; means of {document['seeds']} runs"
    )
    for strategy in document["strategies"]:
        if goal is not None and strategy["needed"] is not None:
            say(
                f"{strategy['name']}: labels to reach {100 * goal:g} %: {_needed(strategy['needed'])}"
            )
    if document["fewer"] is not None and document["fewer"]["mean"] is not None:
        say(f"chosen by random, pairs of one seed: {_needed(document['fewer'], 2)}")


def _needed(needed: "NeededDocument", digits: int = 0) -> str:
    if needed["mean"] is None:
        return f"not reached by all ({needed['by_seed']})"
    if needed["ci95"] is None:
        return f"{needed['mean']:.{digits}f}"
    low, high = needed["ci95"]
    return f"{needed['mean']:.{digits}f} (95 % interval {low:.{digits}f} to {high:.{digits}f})"
