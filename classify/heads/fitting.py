"""A head on a dataset: layers and strength chosen on some rows, fitted to perhaps more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.folds import choosing_rows
from ..data.split import Rows
from ..data.table import Table
from .fits import open_fits
from .search import Fitting, OfSample, fit_calibrated, fit_chosen, tune, tune_layers
from .table import Head
from .training_rows import training_data


def tune_and_fit(
    head: Head,
    table: Table,
    choosing: Rows,
    fitting: Rows,
    seed: int,
    class_weight: str | None = None,
) -> Fitting:
    """Choose a head's layers and strength, and fit it.

    Parameters
    ----------
    head : Head
        Row of the table of heads.
    table : Table
        From :func:`headstart.classify.data.table.load_table`.
    choosing : ndarray of int
        Rows that everything is chosen on; of very many, a stratified sample.
    fitting : ndarray of int
        Rows of the final fit.
    seed : int
        Seeds folds and estimator.
    class_weight : str, optional
        ``"balanced"`` counts each class alike.
    """
    sample = choosing[choosing_rows(table.y[choosing], table.groups[choosing], seed)]
    fits = open_fits(head, training_data(table, sample, seed))
    taps = table.taps
    if table.layers_open and taps is not None:
        taps = tune_layers(head, fits, seed, taps)
    choice = tune(head, fits, seed, taps, class_weight)
    of_sample = None
    if len(sample) < len(choosing):
        of_sample = OfSample(fit_chosen(choice, fits), len(sample))
    if not np.array_equal(sample, fitting):
        fits = open_fits(head, training_data(table, fitting, seed))
    return replace(fit_calibrated(choice, fits), of_sample=of_sample)
