"""Parquet with image bytes, as Hugging Face datasets store them.

``image`` is a struct of ``bytes`` and ``path``, or plain binary; ``label`` a number, whose names
the file's own metadata has (https://huggingface.co/docs/datasets/about_dataset_features), or text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ....errors import DataError
from ..remote import File
from .parquet_rows import Row, described, image_column, open_parquet
from .sample import Sample

LABELS = ("label", "labels", "class", "cls")


def recognise(head: bytes) -> bool:
    """Tell a Parquet file by its magic."""
    return head[:4] == b"PAR1"


def read(shard: File, file: Any, warnings: list[str]) -> list[Sample]:
    """Return the samples of a Parquet file; only the column of labels is read.

    Raises
    ------
    DataError
        If there is no column of images, or it is not clear which one is meant.
    """
    parquet = open_parquet(file)
    schema = parquet.schema_arrow
    features = described(schema)
    image_column(schema, shard)
    column = _label_column(schema, features)
    rows = range(parquet.metadata.num_rows)
    if column is None:
        return [Sample(Row(shard, row), None, f"row {row}") for row in rows]
    names = features.get(column, {}).get("names")
    labels = parquet.read(columns=[column]).column(0).to_pylist()
    # Hugging Face writes -1 where the label is kept secret.
    unlabelled = [row for row in rows if labels[row] is None or labels[row] == -1]
    if 0 < len(unlabelled) < len(labels):
        warnings.append(f"{shard}: {len(unlabelled)} rows have no label: left out")
        rows = sorted(set(rows) - set(unlabelled))  # type: ignore[assignment]
    return [
        Sample(Row(shard, row), _label(labels[row], names, shard, column), f"row {row}")
        for row in rows
    ]


def _label_column(schema: Any, features: dict[str, Any]) -> str | None:
    """Return the column of labels: by its usual name, else the only one of class labels."""
    usual = [name for name in LABELS if name in schema.names]
    as_classes = [name for name, what in features.items() if what.get("_type") == "ClassLabel"]
    for some in (usual[:1], as_classes):
        if len(some) == 1:
            return some[0]
    return None


def _label(value: Any, names: Iterable[str] | None, shard: File, column: str) -> str | int | None:
    if value is None or value == -1:
        return None
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise DataError(
            f"{shard}: expected names or numbers of classes in the column {column}, got {value!r}"
        )
    if names is None:
        return value
    known = list(names)
    if not 0 <= value < len(known):
        raise DataError(f"{shard}: label {value} in the column {column} has no name")
    return known[value]
