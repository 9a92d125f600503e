"""``headstart cache``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Cache, Json, Quiet, Seed, machine_options, takes

if TYPE_CHECKING:
    from ..cache.verify import Problem
    from ..extract.source import FeatureOptions

app = typer.Typer(help="Look after the features that are kept.", no_args_is_help=True)


@app.command("info")
def cache_info(cache: Cache = None, as_json: Json = False) -> None:
    """Say what the cache holds, spec by spec.

    Example: headstart cache info
    """
    from dataclasses import asdict

    from ..cache import default_cache, place_of
    from ..cache.catalogue import holdings
    from ..console import print_json, print_table, say, size

    place = cache or default_cache()
    found = holdings(place)
    if as_json:
        specs = [
            {
                "id": one.spec.id,
                "spec": asdict(one.spec),
                "folder": place_of(one.folder),
                "images": one.images,
                "rows": one.rows,
                "segments": one.segments,
                "damaged": one.damaged,
                "unfinished": one.unfinished,
                "bytes": one.bytes,
            }
            for one in found
        ]
        print_json({"version": 1, "cache": place_of(place), "specs": specs})
        return
    print_table(
        ["spec", "id", "images", "segments", "set aside", "size"],
        [
            [
                " ".join((one.spec.backbone, "+".join(one.spec.layers), one.spec.pooling)),
                one.spec.id,
                f"{one.images:,}",
                f"{one.segments:,}",
                f"{one.damaged:,}",
                size(one.bytes),
            ]
            for one in found
        ],
    )
    say(f"cache: {place_of(place)}, {size(sum(one.bytes for one in found))}")


@app.command("verify")
@takes(machine_options)
def cache_verify(
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="The dataset that --recompute draws from."),
    ] = None,
    *,
    options: "FeatureOptions",
    recompute: Annotated[
        int, typer.Option(min=0, help="Extract so many images of DATA afresh and compare.")
    ] = 0,
    mend: Annotated[
        bool, typer.Option("--mend", help="Set aside what is damaged: it is extracted again.")
    ] = False,
    seed: Seed = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read every byte of the cache; exit 0 when all is well, 1 when something is not.

    Example: headstart cache verify photographs/ --recompute 20
    """
    from ..cache import StatIndex, default_cache, place_of, stat_index_path
    from ..cache.verify import check_clean, verify
    from ..console import print_json, say, stages, warn
    from ..errors import OptionError
    from ..extract.recompute import check_equal, recompute_specs
    from ..text import shown

    if bool(recompute) != (data is not None):
        raise OptionError("--recompute N and DATA go together: images are drawn from DATA")
    place = options.cache or default_cache()
    with stages(quiet=quiet):
        found = verify(place, mend=mend)
        again = [] if data is None else recompute_specs(data, place, options, recompute, seed)
    with StatIndex(stat_index_path()) as index:
        paths = [index.paths(problem.digests) for problem in found.problems]
    if as_json:
        print_json(
            {
                "version": 1,
                "cache": place_of(place),
                "clean": not found.problems and not any(one.differing for one in again),
                "segments": found.segments,
                "rows": found.rows,
                "problems": [
                    {
                        "path": shown(problem.path),
                        "reason": problem.reason,
                        "digests": [digest.hex() for digest in problem.digests],
                        "images": [shown(path) for path in known],
                    }
                    for problem, known in zip(found.problems, paths, strict=True)
                ],
                "set_aside": [shown(path) for path in found.damaged],
                "unfinished": [shown(path) for path in found.unfinished],
                "recomputed": [
                    {
                        "id": one.spec.id,
                        "images": one.images,
                        "error": one.error,
                        "allowed": one.allowed,
                        "differing": [shown(path) for path in one.differing],
                        "skipped": one.skipped,
                    }
                    for one in again
                ],
            }
        )
    else:
        say(f"{found.segments:,} segments with {found.rows:,} rows are as they were written")
        for problem, known in zip(found.problems, paths, strict=True):
            say(f"damaged: {shown(problem.path)}: {problem.reason}; {_concerned(problem, known)}")
        for one in again:
            said = one.skipped or (
                f"{one.images} images computed again, largest relative error {one.error:.1e} "
                f"({one.allowed:g} is allowed)"
            )
            say(f"{one.spec.folder}: {said}")
            for path in one.differing:
                say(f"differs: {shown(path)}")
    if not quiet:
        if found.damaged:
            warn(f"{len(found.damaged)} segments were set aside earlier; they are never read")
        if found.unfinished:
            warn(f"{len(found.unfinished)} files of killed runs; the next run removes them")
    check_clean(found, mended=mend)
    check_equal(again)


@app.command("compact")
def cache_compact(cache: Cache = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Merge small segments and drop repeated rows; other runs may go on meanwhile.

    Example: headstart cache compact
    """
    from ..cache import default_cache
    from ..cache.compact import compact
    from ..console import print_json, print_table, stages, warn

    with stages(quiet=quiet):
        results = compact(cache or default_cache())
    if as_json:
        print_json(
            {
                "version": 1,
                "specs": [
                    {
                        "folder": str(one.folder),
                        "segments_before": one.before,
                        "segments": one.after,
                        "rows": one.rows,
                        "duplicates": one.duplicates,
                        "damaged": [str(error.path) for error in one.damaged],
                    }
                    for one in results
                ],
            }
        )
    else:
        print_table(
            ["spec", "segments before", "after", "rows", "repeated rows dropped"],
            [
                [
                    one.folder.name,
                    *(f"{n:,}" for n in (one.before, one.after, one.rows, one.duplicates)),
                ]
                for one in results
            ],
        )
    if not quiet:
        for one in results:
            for error in one.damaged:
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
    from ..console import print_json, say, size
    from ..errors import OptionError

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
        removed = [
            {"folder": str(one.folder), "files": len(one.files), "bytes": one.bytes} for one in plan
        ]
        print_json({"version": 1, "cache": place_of(place), "removed": removed})
    else:
        say(f"removed {files} files ({total}) from {place_of(place)}")


def _concerned(problem: "Problem", known: list[str]) -> str:
    from ..text import shown

    if not problem.digests:
        return "its index cannot be read"
    named = f": {', '.join(map(shown, known[:3]))}{', …' if len(known) > 3 else ''}"
    return f"the features of {len(problem.digests)} images{named if known else ''}"
