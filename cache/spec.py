"""The feature spec: everything that decides a feature's value."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace

SPEC_FOLDER = re.compile(r".+-[0-9a-f]{12}")  # what a spec's folder is called

_YOUNGER = {"views": ("original",), "storage": "float32", "bit_depth": 16}  # key to default


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What was computed, down to the last choice that moves a number.

    Two features with the same image digest and the same spec are the same
    numbers (to the tolerance that ``cache/FORMAT.md`` states), whichever
    engine, machine or batch they came from.

    Examples
    --------
    >>> spec = FeatureSpec("mobilenet", "b2" * 32, ("conv_pw_13_relu",), "avg",
    ...                    (224, 224), "squash", "mobilenet", "float32", 1)
    >>> FeatureSpec.from_json(spec.to_json()) == spec
    True
    >>> len(spec.id)
    12
    """

    backbone: str  # name in the table of backbones, such as `"mobilenet"`
    # SHA-256 of the weights file, 64 hexadecimal digits; in 8 bits that of the quantised network,
    # which says what it was calibrated on and by what
    weights_sha256: str
    layers: tuple[str, ...]  # layers where features are tapped, in column order
    # `"avg"`, `"max"`, `"avg+max"`, `"flatten"` or `"none"`; `"none"` keeps a layer's whole map,
    # flattened row by row
    pooling: str
    input_size: tuple[int, int]  # height and width in pixels
    resize: str  # `"squash"`, `"crop"` or `"pad"`
    preprocessing: str  # the function that scales pixels for this backbone
    precision: str  # `"float32"`, `"bfloat16"`, `"float16"` or `"int8"`
    decoder: int  # version of the decoding recipe, see `RECIPE`
    # ways of looking at an image, see `views`; the columns of each view follow those of the one
    # before
    views: tuple[str, ...] = ("original",)
    storage: str = "float32"  # `"float32"` or `"float16"`: how a number lies on the disk
    # bits that hold the values of images of 16 bits a channel; others are the same for any
    bit_depth: int = 16

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, no spaces, ASCII.

        ``views``, ``storage`` and ``bit_depth`` are younger than the format: at their
        defaults they are left out, so that older caches keep their ids.
        """
        values = {
            key: value
            for key, value in asdict(self).items()
            if key not in _YOUNGER or value != _YOUNGER[key]
        }
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FeatureSpec:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        TypeError
            If a key is missing or unknown.
        ValueError
            If the text is not JSON.
        """
        values = json.loads(text)
        values["layers"] = tuple(values["layers"])
        values["input_size"] = tuple(values["input_size"])
        values["views"] = tuple(values.get("views", _YOUNGER["views"]))
        return cls(**values)

    @property
    def network(self) -> FeatureSpec:
        """The same spec but for what happens before and after the network: a key for the graph."""
        return replace(
            self, resize="", decoder=0, views=("original",), storage="float32", bit_depth=16
        )

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the canonical JSON's SHA-256."""
        return hashlib.sha256(self.to_json().encode("ascii")).hexdigest()[:12]

    @property
    def folder(self) -> str:
        """Name of this spec's folder in the cache."""
        return f"{self.backbone}-{self.id}"
