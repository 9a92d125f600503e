"""What a saved classifier needs here: the features it was trained on, and what it abstains by."""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelError
from ...extract.recipe import Execution, Recipe
from ...extract.source import FeatureSource, feature_source
from ..heads.abstention import Abstainer
from ..saved.load import SavedModel


def source_of(model: SavedModel, execution: Execution) -> FeatureSource:
    """Return what the model was trained on, here.

    Raises
    ------
    ModelError
        If it would not be the same.
    """
    spec = model.spec
    source = feature_source(Recipe.of(spec, model.weights), execution)
    if source.spec != spec:
        raise ModelError(_mismatch(spec.weights_sha256, source.spec.weights_sha256, source.weights))
    return source


def abstainer_of(model: SavedModel) -> Abstainer:
    """Return what a model abstains by.

    Raises
    ------
    ModelError
        If it was saved without.
    """
    if not hasattr(model, "abstainer"):
        raise ModelError(
            f"a network ({model.name}) has no out-of-fold scores to abstain by: leave --abstain "
            "out, or take a head of 'fit head --out'"
        )
    if model.abstainer is None:
        raise ModelError(
            f"this {model.name} was saved without the out-of-fold scores that --abstain needs: "
            "fit it again with 'fit head --out', the features are still cached"
        )
    return model.abstainer


def _mismatch(trained: str, here: str, weights: Path) -> str:
    if trained == here:
        return "the model was made by another version of headstart's image decoding: train it again"
    return (
        f"the model was trained on backbone weights with SHA-256 {trained[:12]}…, {weights} has "
        f"{here[:12]}…: name the right file with --weights FILE"
    )
