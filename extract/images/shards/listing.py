"""What a shard holds, and held when it was last listed: a convenience of this machine.

A tar file or TFRecord has no table of contents, so that listing one means to walk through all
of it, which behind a URL means to fetch it.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....cache.statindex import at_rest, fingerprint
from ....storage import replacing, user_folder
from ..remote import File
from .members import Member
from .parquet_rows import Row
from .sample import Sample

VERSION = 2  # raise it when a change to a reader moves what it returns


@dataclass(frozen=True, slots=True)
class Listing:
    """The images of one shard."""

    kind: str  # the shard's
    samples: list[Sample]  # in the order that they have there
    warnings: list[str] = field(default_factory=list)  # what had to be left out, in words


def recall(shard: File) -> Listing | None:
    """Return what a shard held when it was last listed; None when it has changed since."""
    try:
        document = json.loads(gzip.decompress(_file(shard).read_bytes()))
        if [document["version"], document["signature"]] != [VERSION, [*fingerprint(shard.stat())]]:
            return None
        samples = [
            Sample(_placed(shard, place), label, name) for place, label, name in document["samples"]
        ]
        return Listing(document["kind"], samples, document["warnings"])
    except Exception:  # not there, unreadable, or another version's: the shard itself will tell
        return None


def remember(shard: File, seen: Any, read_ns: int, listing: Listing) -> None:
    """Keep what a shard held, unless it may still change unseen.

    Parameters
    ----------
    shard : Path or Remote
        The shard.
    seen : Stat
        As it looked before it was listed.
    read_ns : int
        The clock then.
    listing : Listing
        What it held.
    """
    if not at_rest(seen, read_ns):
        return
    document = {
        "version": VERSION,
        "signature": fingerprint(seen),
        "kind": listing.kind,
        "samples": [
            [_place(sample.image), sample.label, sample.name] for sample in listing.samples
        ],
        "warnings": listing.warnings,
    }
    data = gzip.compress(json.dumps(document).encode(), compresslevel=1)
    # A full or read-only disk: the shard is listed again.
    with contextlib.suppress(OSError), replacing(_file(shard)) as temporary:
        temporary.write_bytes(data)


def look(shard: File) -> tuple[Any, int]:
    """Return how a shard looks, and the clock just before."""
    now = time.time_ns()
    return shard.stat(), now


def _file(shard: File) -> Path:
    name = hashlib.sha256(os.fsencode(str(shard.absolute()))).hexdigest()
    return user_folder() / "shards" / name[:2] / f"{name[2:32]}.json.gz"


def _place(image: Member | Row) -> list[int]:
    return [image.offset, image.size] if isinstance(image, Member) else [image.row]


def _placed(shard: File, place: list[int]) -> Member | Row:
    return Member(shard, *place) if len(place) == 2 else Row(shard, *place)
