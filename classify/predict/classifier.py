"""A saved classifier in Python: images in, class names out."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cache import cache_folder
from ...extract.inputs import as_images, check_all_used
from ...extract.recipe import Execution
from ..saved.load import SavedModel, load_model
from .blocks import label_images
from .model_source import source_of


class Classifier:
    """A trained classifier from images to class names, which scikit-learn takes as one of its own.

    Images go through the same decoder, cache and network as at training: its labels and
    probabilities are those of ``headstart predict``. The engine starts once, with the first
    image that the cache lacks.

    An image is what it is for :class:`headstart.ImageFeatures`: a path, a PIL image or pixels
    (an ndarray (height, width, 3) of uint8, RGB, of any size).

    Parameters
    ----------
    model : Model or TunedModel
        From :func:`headstart.classify.saved.load.load_model`.
    execution : Execution
        Where the cache is and how to run; what is extracted is the model's.

    Attributes
    ----------
    classes_ : ndarray of str, shape (k,)
        Class names, in the order of the probabilities' columns.
    model : Model or TunedModel
        As given.
    record : dict
        What ``fit head`` or ``fit finetune`` reported of it.

    Raises
    ------
    ModelError
        If the backbone's weights here are not those of training.

    Examples
    --------
    >>> from pathlib import Path
    >>> import headstart
    >>> classifier = headstart.load("photographs.headstart")
    >>> classifier.predict(sorted(Path("photographs/red").iterdir())[:2]).tolist()
    ['red', 'red']
    """

    def __init__(self, model: SavedModel, execution: Execution) -> None:
        self.model = model
        self.record = model.record
        self.classes_: NDArray[Any] = np.array(model.classes)
        self._source = source_of(model, execution).keeping_engine()

    def predict(self, images: Any) -> NDArray[Any]:
        """Return the most probable class of each image.

        Parameters
        ----------
        images : sequence of length n, or ndarray, shape (n, height, width, 3), uint8
            Paths, PIL images or pixels.

        Returns
        -------
        ndarray of str, shape (n,)
            In the order given.

        Raises
        ------
        DataError
            If an image cannot be used; the message names the first and its reason. The
            features of the others are cached.
        TypeError, ValueError
            If it is something else than images, or nothing.
        """
        names: NDArray[Any] = self.classes_[self.predict_proba(images).argmax(axis=1)]
        return names

    def predict_proba(self, images: Any) -> NDArray[np.float64]:
        """Return calibrated probabilities (n, k), float64, rows sum to 1, of images (n).

        Raises
        ------
        DataError, TypeError, ValueError
            As :meth:`predict`.
        """
        given = as_images(images, self.model.spec.bit_depth)
        blocks = list(label_images(self.model, self._source, given))
        failures = [failure for block in blocks for failure in block.failures]
        check_all_used(failures, len(given), "take them out")
        return np.concatenate([block.probabilities for block in blocks])

    def score(self, images: Any, labels: Any) -> float:
        """Return the share of images (n) whose label (n) it names, 0 to 1; the errors are the same."""
        return float(np.mean(self.predict(images) == np.asarray(labels)))

    def fit(self, images: Any = None, labels: Any = None) -> Classifier:
        """Return itself: it is trained, as in a ``sklearn.frozen.FrozenEstimator``.

        ``cross_val_score`` evaluates it on each fold as it is; images that it was trained on
        flatter it there.
        """
        del images, labels  # scikit-learn's contract
        return self

    def __sklearn_clone__(self) -> Classifier:
        """Be used as it is where scikit-learn clones what it fits."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that it is a classifier, of images and not of numbers."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=False, one_d_array=True, string=True),
        )

    def __repr__(self) -> str:
        return f"<Classifier {self.model.name}, {len(self.classes_)} classes>"


def load(
    path: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    engine: str = "auto",
    trust_joblib: bool = False,
) -> Classifier:
    """Load a saved classifier; no code in the file is run.

    Parameters
    ----------
    path : path
        What ``fit head --out`` or ``fit finetune --out`` wrote.
    weights : path, optional
        The backbone's weights file; the one of training when None.
    cache : path or URL, optional
        The cache's root; ``HEADSTART_CACHE`` or the user's cache folder when None.
    engine : str
        ``"auto"``, ``"tensorflow"``, ``"onnxruntime"`` or ``"openvino"``.
    trust_joblib : bool
        Load a head of trees too, whose file can run code: for files that you made yourself.

    Raises
    ------
    ModelError
        If it is no model, damaged, or made with other weights than those here.
    WeightsError
        If the backbone's weights cannot be found.

    Examples
    --------
    >>> load("flowers.headstart")
    Traceback (most recent call last):
    ...
    headstart.errors.ModelError: no model file flowers.headstart; 'fit head --out FILE' writes one
    """
    execution = Execution(
        cache=None if cache is None else cache_folder(cache),
        engine=engine,
    )
    model = load_model(path, weights=weights, trust_joblib=trust_joblib)
    return Classifier(model, execution)
