"""What is found of near copies among more photographs than are all compared.

Run from the project's root: ``python benchmarks/near_copies.py [ROWS]``. The rows lie so close
together that the borders of buckets run through the midst of them: a hard case.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from labelling import mixtures
from timing import RESULTS, machine

from headstart.classify.data.near_duplicates import CLOSE, NEIGHBOURS, find_neighbours

COPIES, ASKED, REFERENCES = 1_000, 1_000, 256
OTHER = 0.2  # share of another photograph in a copy


def main() -> None:
    """Plant copies, find neighbours in buckets, and count those that comparing all would find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=60_000)
    count = parser.parse_args().rows
    random = np.random.default_rng(5)
    rows = mixtures(count)
    copied = random.permutation(count)[:COPIES]
    copies = (1 - OTHER) * rows[copied] + OTHER * rows[random.integers(count, size=COPIES)]
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    rows = np.concatenate([rows, copies.astype(np.float32)])
    begin = time.process_time()
    found = find_neighbours(rows, [number.to_bytes(8) for number in range(len(rows))]).indices
    seconds = time.process_time() - begin

    asked = random.permutation(len(rows))[:ASKED]
    distances = all_distances(rows, asked)
    nearest = np.argsort(distances, axis=1)[:, :NEIGHBOURS]
    ten = [len(np.intersect1d(*pair)) for pair in zip(found[asked], nearest, strict=True)]
    usual = np.median(distances[:, random.permutation(len(rows))[:REFERENCES]], axis=1)
    pairs = np.argwhere(distances < CLOSE * usual[:, None])
    near = [a in found[b] or b in found[a] for a, b in ((asked[row], b) for row, b in pairs)]
    planted = list(zip(copied, range(count, len(rows)), strict=True))
    closest = np.argsort(all_distances(rows, copied), axis=1)[:, :NEIGHBOURS]
    there = [copy in ten_of for (_, copy), ten_of in zip(planted, closest, strict=True)]
    seen = [copy in found[given] or given in found[copy] for given, copy in planted]
    document = {
        "machine": machine(),
        "rows": count,
        "processor_seconds": seconds,
        "of_the_ten_nearest": float(np.mean(ten)) / NEIGHBOURS,
        "planted_among_the_ten_nearest": sum(there),
        "of_them_found": sum(s for s, t in zip(seen, there, strict=True) if t),
        "near_pairs": len(near),
        "of_the_pairs_found": sum(near),
    }
    print(json.dumps({name: value for name, value in document.items() if name != "machine"}))
    (RESULTS / "near_copies.json").write_text(json.dumps(document, indent=1) + "\n")


def all_distances(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the distances of some rows to all; to itself none is near."""
    distances = np.sqrt(np.maximum(0, 2 - 2 * (rows[asked] @ rows.T)))
    distances[np.arange(len(asked)), asked] = np.inf
    return distances


if __name__ == "__main__":
    main()
