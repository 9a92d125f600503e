"""Which method explains which head."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import OptionError, unknown
from ..saved.load import SavedModel
from ..saved.network_model import TunedModel
from .activation_maps import is_exact
from .layers import HeadLayers

METHODS = ("auto", "cam", "grad-cam", "occlusion")


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A method, and why it was taken."""

    method: str
    why: str


def choose_method(wanted: str, model: SavedModel, head: HeadLayers | None) -> MethodChoice:
    """Return the method to use: the most exact that the head allows, or the one asked for.

    Raises
    ------
    OptionError
        If the method is unknown, or the head does not allow it.
    """
    if wanted not in METHODS:
        raise unknown("method", wanted, list(METHODS))
    nature = _nature(model, head)
    if wanted == "cam" and not (head is not None and is_exact(head)):
        other = "occlusion" if head is None else "grad-cam"
        raise OptionError(
            f"--method cam needs scores that are sums over places, but {nature}: take "
            f"--method {other}"
        )
    if wanted == "grad-cam" and head is None:
        raise OptionError(
            f"--method grad-cam needs a gradient to follow, but {nature}: take --method occlusion"
        )
    if wanted != "auto":
        return MethodChoice(wanted, "it was asked for")
    if head is None:
        return MethodChoice("occlusion", nature)
    exact = is_exact(head) and not isinstance(model, TunedModel)
    return MethodChoice("cam" if exact else "grad-cam", nature)


def _nature(model: SavedModel, head: HeadLayers | None) -> str:
    """Say in words what the head is to its maps."""
    if isinstance(model, TunedModel):
        return "the head is part of a fine-tuned network"
    if model.spec.precision == "int8":
        return "the network below the head is in 8 bits, through which no gradient leads"
    if head is None:
        return f"{model.name} has no gradient that leads back to the maps"
    if not head.linear:
        return f"{model.name} is a network of {len(head.layers)} layers"
    if head.power != 1:
        return f"{model.name} is linear on features raised to the power {head.power:g}"
    return f"{model.name} is linear on maps pooled by {head.pooling}"
