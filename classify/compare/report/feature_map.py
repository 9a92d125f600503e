"""Features in two dimensions."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

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
    found = _umap(scaled, seed) if len(scaled) > NEIGHBOURS else None
    if found is not None:
        return found, "UMAP"
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
