"""Images to features as a scikit-learn transformer, backed by the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from ..cache import FeatureSpec
from ..cache.place import cache_folder
from ..documented import Documented
from ..storage import user_folder
from .engine.turns import taking_turns
from .features import Features, column_names, load_features
from .images.addresses import Reference
from .images.in_memory import PixelImage
from .inputs import as_images, check_all_used
from .recipe import Execution, Recipe
from .source import FeatureSource, feature_source


class ImageFeatures(Documented, TransformerMixin, BaseEstimator):
    """Features of a frozen backbone, each image's computed once and cached.

    In a pipeline under ``GridSearchCV`` or ``cross_val_score``, in threads or
    processes, folds and candidates read what the first of them extracted: the
    backbone runs once over each image. The cache is the one that the command
    line uses.

    An image is a path (str or ``os.PathLike``), a URL, pixels (an ndarray
    (height, width, 3) of uint8, RGB, 0 to 255, of any size) or a PIL image, which
    counts as its pixels once it is upright and RGB. The key of a file is the SHA-256
    of its bytes, that of pixels the SHA-256 of a prefix, their shape and them (see
    :func:`headstart.extract.images.in_memory.digest_pixels`): the same picture as a file and
    as pixels is extracted once for each.

    Parameters
    ----------
    backbone : str
        Name in the table of backbones (``headstart extract list``).
    weights : str or path
        ``"imagenet"`` or a Keras weights file.
    layers : str or sequence of str
        Layers to tap; the backbone's last when empty, one a stage for ``"auto"``.
    pooling : str
        ``"avg"``, ``"max"``, ``"avg+max"`` or ``"flatten"``.
    resize : str
        ``"crop"``, ``"squash"`` or ``"pad"`` to the backbone's input size.
    cache : path or URL, optional
        The cache's root; ``HEADSTART_CACHE`` or the user's cache folder when None.
    views : str or sequence of str
        Names, or one text with commas between them, such as ``"original,flip"``. The columns
        of each view follow those of the one before.
    precision : str
        ``"float32"``, ``"bfloat16"`` (some CPUs) or ``"float16"`` (GPUs).
    storage : str
        ``"float32"``, or ``"float16"`` for half the disk.
    bit_depth : int, optional
        Bits used of images of 16 bits a channel; all when None.
    engine : str
        ``"auto"``, ``"tensorflow"`` or ``"onnxruntime"``.
    batch_size : int, optional
        Images a call of the engine; chosen from engine and memory when None.
    workers : int, optional
        Threads that read, decode and run; chosen from cores and memory when None.

    Attributes
    ----------
    feature_names_ : ndarray of str, shape (d,)
        A name for each column, set by ``fit``: layer and number, behind the view
        where there are several. Nothing else is learnt; ``transform`` needs no ``fit``.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> pixels = np.zeros((2, 60, 80, 3), np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ImageFeatures(cache=folder).fit_transform(pixels).shape
    (2, 1024)
    """

    def __init__(
        self,
        backbone: str = "mobilenet",
        *,
        weights: str | os.PathLike[str] = "imagenet",
        layers: str | Sequence[str] = (),
        pooling: str = "avg",
        resize: str = "crop",
        cache: str | os.PathLike[str] | None = None,
        views: str | Sequence[str] = "original",
        precision: str = "float32",
        storage: str = "float32",
        bit_depth: int | None = None,
        engine: str = "auto",
        batch_size: int | None = None,
        workers: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layers = layers
        self.pooling = pooling
        self.resize = resize
        self.cache = cache
        self.views = views
        self.precision = precision
        self.storage = storage
        self.bit_depth = bit_depth
        self.engine = engine
        self.batch_size = batch_size
        self.workers = workers

    def fit(self, X: Any, y: object = None) -> ImageFeatures:
        """Extract the images (n) that the cache lacks and name the columns.

        Raises
        ------
        DataError
            If an image cannot be used.
        TypeError, ValueError
            If X holds something else than images, or nothing.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Any, y: object = None) -> NDArray[np.float32]:
        """Return features (n, d), float32, of images (n), and name the columns."""
        del y  # scikit-learn's contract
        source = self._source()
        features = _load(as_images(X, source.spec.bit_depth), source)
        self.feature_names_ = _names(source.spec, features.widths)
        rows: NDArray[np.float32] = features.X
        return rows

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return features (n, d), float32, of images (n).

        Raises
        ------
        DataError
            If an image cannot be used; the message names the first and its
            reason. The others are cached.
        TypeError, ValueError
            If X holds something else than images, or nothing.
        """
        source = self._source()
        rows: NDArray[np.float32] = _load(as_images(X, source.spec.bit_depth), source).X
        return rows

    def get_feature_names_out(self, input_features: object = None) -> NDArray[Any]:
        """Return a name for each column, such as ``conv_pw_13_relu_0``.

        Raises
        ------
        NotFittedError
            If neither ``fit`` nor the cache has seen an image.
        """
        del input_features  # an image has no columns to be named after
        if hasattr(self, "feature_names_"):
            return self.feature_names_
        store = self._source().store()
        if store.dimension is None:
            raise NotFittedError("ImageFeatures knows its columns once fit has seen an image")
        return _names(store.spec, store.widths)

    def __sklearn_is_fitted__(self) -> bool:
        """Nothing has to be learnt."""
        return True

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that X is no matrix of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags

    def _source(self) -> FeatureSource:
        recipe = Recipe(
            backbone=self.backbone,
            weights=os.fspath(self.weights),
            layers=(self.layers,) if isinstance(self.layers, str) else tuple(self.layers),
            pooling=self.pooling,
            resize=self.resize,
            views=self.views if isinstance(self.views, str) else ",".join(self.views),
            precision=self.precision,
            storage=self.storage,
            bit_depth=self.bit_depth,
        )
        execution = Execution(
            cache=None if self.cache is None else cache_folder(self.cache),
            engine=self.engine,
            batch_size=self.batch_size,
            workers=self.workers,
        )
        return feature_source(recipe, execution)


def _names(spec: FeatureSpec, widths: Sequence[int]) -> NDArray[Any]:
    return np.array(column_names(spec, widths), dtype=object)


def _load(images: list[Reference | PixelImage], source: FeatureSource) -> Features:
    """Return the features of all images; what is missing is extracted by one caller at a time."""
    place = f"{source.cache.absolute()}\0{source.spec.id}".encode("utf-8", "surrogateescape")
    turns = user_folder() / "turns" / hashlib.sha256(place).hexdigest()[:16]
    with taking_turns(turns):
        features = load_features(images, source)
    check_all_used(features.extraction.failures, len(images), "take them out of X and y")
    return features
