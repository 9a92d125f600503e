"""How many of 16 bits a dataset's images use: one answer for all of them, and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..cache.statindex import at_rest, fingerprint
from ..errors import DecodeError
from ..storage import replacing, user_folder
from .decode.bit_depth import FULL, used_bits
from .images.addresses import Reference
from .images.read import read_image

SAMPLE = 32  # images that are looked at before all are
# Formats that have no 16 bits a channel, by what their files are usually called.
SHALLOW = (".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".heic", ".heif", ".dcm")


@dataclass(frozen=True, slots=True)
class BitDepth:
    """What holds the values of a dataset's images of 16 bits a channel."""

    bits: int = FULL  # 16 where all of them are used, or where there are no such images
    warnings: list[str] = field(default_factory=list)  # where images do not agree


def find_bit_depth(images: Sequence[Reference], max_pixels: int) -> BitDepth:
    """Look for images of 16 bits a channel, and for the range that they use.

    A sample tells whether there are any; if so, all are looked at, once: what was found is
    remembered as long as no file changes.

    Parameters
    ----------
    images : sequence of Reference
        The dataset's.
    max_pixels : int
        Larger images are left out.
    """

    def able() -> Iterator[Reference]:
        return (image for image in images if not str(image).lower().endswith(SHALLOW))

    step = max(1, sum(1 for _ in able()) // SAMPLE)
    if not _remembered([*itertools.islice(able(), 0, step * SAMPLE, step)], max_pixels):
        return BitDepth()
    return _agreed(_remembered([*able()], max_pixels))


def _agreed(counts: Counter[int]) -> BitDepth:
    """Return the bits that hold every image; tell where some use fewer."""
    bits = max(counts, default=FULL)
    if len(counts) < 2:
        return BitDepth(bits)
    ranges = ", ".join(f"{count:,} of {bits} bits" for bits, count in sorted(counts.items()))
    fewer = sorted(counts)[-2]
    warning = (
        f"images of 16 bits a channel use different ranges ({ranges}): all are scaled by {bits} bits, "
        f"so that some are dark; --bit-depth {fewer} would make larger values white"
    )
    return BitDepth(bits, [warning])


def _remembered(images: Sequence[Reference], max_pixels: int) -> Counter[int]:
    """Return how many images use so many bits, as found now or before."""
    if not images:
        return Counter()
    key, still = _key(images, max_pixels)
    note = user_folder() / "bit-depth" / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return Counter({int(bits): count for bits, count in json.loads(note.read_bytes()).items()})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = Counter(bits for bits in pool.map(lambda i: _bits(i, max_pixels), images) if bits)
    if still:
        with contextlib.suppress(OSError), replacing(note) as temporary:
            temporary.write_text(json.dumps(counts))
    return counts


def _bits(image: Reference, max_pixels: int) -> int | None:
    try:
        _, data = read_image(image, max_pixels)
        return used_bits(data, max_pixels)
    except DecodeError:
        return None  # extraction will tell
    except Exception:  # decoders raise whatever damaged bytes lead them to; extraction will tell
        return None


def _key(images: Sequence[Reference], max_pixels: int) -> tuple[str, bool]:
    """Return a hash of all files and how they look, and whether a change of one would show."""
    now, digest, still = time.time_ns(), hashlib.sha256(str(max_pixels).encode()), True
    for image in images:
        try:
            seen = image.stat()
        except (OSError, DecodeError):
            continue
        digest.update(os.fsencode(f"{image.absolute()}\0{fingerprint(seen)}\0"))
        still = still and at_rest(seen, now)
    return digest.hexdigest()[:32], still
