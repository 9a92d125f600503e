"""Features in two dimensions, and their plot."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .svg import INK, drawing, to_svg

NEIGHBOURS = 15


def lay_out(features: NDArray[np.float32], seed: int = 0) -> tuple[NDArray[np.float64], str]:
    """Place images so that similar features lie close.

    Parameters
    ----------
    features : ndarray, shape (n, d), float32
        One row an image.
    seed : int
        Seeds UMAP.

    Returns
    -------
    places : ndarray, shape (n, 2), float64
    method : str
        UMAP (McInnes et al. 2018, arXiv:1802.03426) where umap-learn is
        installed, else PCA with the share of variance that it shows.

    Examples
    --------
    >>> places, method = lay_out(np.eye(5, dtype=np.float32))
    >>> places.shape
    (5, 2)
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    scaled = StandardScaler().fit_transform(np.sqrt(np.abs(features)) * np.sign(features))
    places = _umap(scaled, seed) if len(scaled) > NEIGHBOURS else None
    if places is not None:
        return places, "UMAP"
    pca = PCA(2, svd_solver="full" if min(scaled.shape) < 3 else "auto", random_state=seed)
    places = pca.fit_transform(scaled).astype(np.float64)
    return places, f"PCA ({pca.explained_variance_ratio_.sum():.0%} of the variance)"


def _umap(scaled: NDArray[np.float32], seed: int) -> NDArray[np.float64] | None:
    try:
        import umap
    except ImportError:
        return None
    with warnings.catch_warnings():  # that a seed means one thread
        warnings.simplefilter("ignore")
        reducer = umap.UMAP(n_neighbors=NEIGHBOURS, random_state=seed)
        return np.asarray(reducer.fit_transform(scaled), dtype=np.float64)


def draw_map(
    places: NDArray[np.float64],
    method: str,
    truth: NDArray[np.intp],
    right: NDArray[np.bool_],
    classes: Sequence[str],
) -> str:
    """Plot images in two dimensions, a colour a class, mistakes with a ring."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with drawing("map"):
        figure = Figure(figsize=(5.6, 4.6))
        axes = figure.subplots()
        hues = mpl.colormaps["turbo"](np.linspace(0.05, 0.95, len(classes)))
        axes.scatter(
            places[:, 0],
            places[:, 1],
            s=34,
            c=hues[truth],
            edgecolors=[INK if not ok else "none" for ok in right],
            linewidths=1.6,
            gid="points",
        )
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(False)
        return to_svg(
            figure,
            "map",
            f"Map of the features of {len(truth)} images of {len(classes)} classes by {method}. "
            f"{int((~right).sum())} ringed images are mislabelled by the best head. "
            "Arrow keys go from image to image.",
        )
