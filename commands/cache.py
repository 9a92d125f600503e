"""``headstart cache``."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .options import MACHINE, Cache, Json, Quiet, Seed, takes

if TYPE_CHECKING:
    from ..api.options import ModelOptions
    from ..cache.verify import Problem, Verification
    from ..extract.recompute import Recomputation

app = typer.Typer(help="Look after the features that are kept.", no_args_is_help=True)


@app.command("info")
def cache_info(cache: Cache = None, as_json: Json = False) -> None:
    """Say what the cache holds, spec by spec.

    Example: headstart cache info
    """
    from ..cache import default_cache, place_of
    from ..cache.catalogue import holdings
    from ..cache.documents import info_document
    from ..console import print_json, print_table, say
    from ..text import size

    place = cache or default_cache()
    held = holdings(place)
    if as_json:
        print_json(info_document(place, held))
        return
    print_table(
        ["spec", "id", "images", "segments", "set aside", "size"],
        [
            [
                f"{spec['backbone']} {'+'.join(spec['layers'])} {spec['pooling']}",
                row["id"],
                *(f"{n:,}" for n in (row["images"], row["segments"], row["damaged"])),
                size(row["bytes"]),
            ]
            for row in held
            for spec in [row["spec"]]
        ],
    )
    say(f"cache: {place_of(place)}, {size(sum(row['bytes'] for row in held))}")


@app.command("verify")
@takes(MACHINE)
def cache_verify(
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="The dataset that --recompute draws from."),
    ] = None,
    *,
    options: "ModelOptions",
    recompute: Annotated[
        int, typer.Option(min=0, help="Extract so many images of DATA afresh and compare.")
    ] = 0,
    mend: Annotated[
        bool, typer.Option("--mend", help="Set aside what is damaged: it is extracted again.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Read so many segments of each spec, drawn by --seed, not all."),
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read every byte of the cache; exit 0 when all is well, 1 when something is not.

    Example: headstart cache verify photographs/ --recompute 20
    """
    from ..api.options import execution_of
    from ..cache import default_cache
    from ..cache.documents import verify_document
    from ..cache.verify import check_clean, verify
    from ..console import print_json, stages
    from ..errors import OptionError
    from ..extract.recompute import check_equal, recompute_specs

    if bool(recompute) != (data is not None):
        raise OptionError("--recompute N and DATA go together: images are drawn from DATA")
    execution = execution_of(options)
    place = execution.cache or default_cache()
    weights = os.fspath(options.get("weights") or "imagenet")
    with stages(quiet=quiet):
        verification = verify(place, mend=mend, sample=sample, seed=seed)
        again = (
            []
            if data is None
            else recompute_specs(data, place, weights, execution, recompute, seed)
        )
    if as_json:
        recomputed = [sample.to_document() for sample in again]
        print_json(verify_document(place, verification, recomputed))
    else:
        _say_verified(verification, again)
    if not quiet:
        _warn_of_leftovers(verification)
    check_clean(verification, mended=mend)
    check_equal(again)


def _say_verified(verification: "Verification", again: "list[Recomputation]") -> None:
    from ..console import say
    from ..text import shown

    say(
        f"{verification.segments:,} segments with {verification.rows:,} rows are as they were "
        "written"
    )
    for problem in verification.problems:
        say(f"damaged: {shown(problem.path)}: {problem.reason}; {_concerned(problem)}")
    for sample in again:
        outcome = sample.skipped or (
            f"{sample.images} images computed again, largest relative error {sample.error:.1e} "
            f"({sample.allowed:g} is allowed)"
        )
        say(f"{sample.spec.folder}: {outcome}")
        for path in sample.differing:
            say(f"differs: {shown(path)}")


def _concerned(problem: "Problem") -> str:
    from ..cache.spec_folder import RUN
    from ..text import shown

    if problem.path.suffix == RUN:
        return "it is made again from the segments"
    if not problem.digests:
        return "its index cannot be read"
    some = ", ".join(map(shown, problem.images[:3])) + (", …" if len(problem.images) > 3 else "")
    return f"the features of {len(problem.digests)} images" + (f": {some}" if some else "")


def _warn_of_leftovers(verification: "Verification") -> None:
    from ..console import warn

    if verification.damaged:
        warn(f"{len(verification.damaged)} segments were set aside earlier; they are never read")
    if verification.unfinished:
        warn(f"{len(verification.unfinished)} files of killed runs; the next run removes them")


@app.command("compact")
def cache_compact(cache: Cache = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Merge small segments and drop repeated rows; other runs may go on meanwhile.

    Example: headstart cache compact
    """
    from ..cache import default_cache
    from ..cache.compact import compact
    from ..cache.documents import compact_document
    from ..console import print_json, print_table, stages, warn

    with stages(quiet=quiet):
        compactions = compact(cache or default_cache())
    if as_json:
        print_json(compact_document(compactions))
    else:
        print_table(
            ["spec", "segments before", "after", "rows", "repeated rows dropped"],
            [
                [
                    spec.folder.name,
                    *(f"{n:,}" for n in (spec.before, spec.after, spec.rows, spec.duplicates)),
                ]
                for spec in compactions
            ],
        )
    if not quiet:
        for spec in compactions:
            for error in spec.damaged:
                warn(str(error))


@app.command("clear")
def cache_clear(
    spec: Annotated[
        str | None, typer.Option(metavar="ID", help="This spec alone: see 'cache info'.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Remove features, of one spec or all; other people's files stay.

    Example: headstart cache clear --spec 663220e53148
    """
    from ..cache import default_cache, place_of
    from ..cache.clear import plan_removal, remove
    from ..cache.documents import clear_document
    from ..console import print_json, say
    from ..errors import OptionError
    from ..text import size

    place = cache or default_cache()
    plan = plan_removal(place, spec)
    files = sum(len(removal.files) for removal in plan)
    total = size(sum(removal.bytes for removal in plan))
    if not yes and files:
        if not sys.stdin.isatty():
            raise OptionError(
                f"this removes {files} files ({total}) from {place_of(place)}: add --yes"
            )
        typer.confirm(
            f"Remove {files} files ({total}) from {place_of(place)}?", abort=True, err=True
        )
    remove(plan)
    if as_json:
        print_json(clear_document(place, plan))
    else:
        say(f"removed {files} files ({total}) from {place_of(place)}")
