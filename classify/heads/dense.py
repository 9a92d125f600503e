"""A small dense network on cached features, behind scikit-learn's contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ...documented import Documented
from ..data.folds import hold_out
from ..data.split import Rows
from .checked import checked


class DenseHead(Documented, ClassifierMixin, BaseEstimator):
    """Dense layer, dropout, softmax; trained by Keras, predicted by NumPy.

    An eighth of the training data is held out to choose the number of epochs
    (early stopping, best weights restored); where classes are too small for
    that, all ``epochs`` run. The fitted weights are plain arrays, so that
    prediction needs no TensorFlow.

    Parameters
    ----------
    units : int
        Width of the hidden layer (ReLU).
    dropout : float
        Share of hidden units dropped in training, 0 to 1.
    weight_decay : float
        Decoupled weight decay of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101).
    learning_rate : float
        Of AdamW.
    epochs : int
        At most.
    patience : int
        Epochs without a lower validation loss before it stops.
    batch_size : int
        Images a step.
    random_state : int
        Seeds the weights, dropout, order and the part held out.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
        Class labels, sorted.
    weights_ : list of ndarray
        Kernels (d, units) and (units, k) with their biases, float32.
    epochs_ : int
        Epochs whose weights were kept.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.repeat(np.eye(2, 4, dtype=np.float32), 30, axis=0)
    >>> y = np.repeat(["cat", "dog"], 30)
    >>> DenseHead(units=8, epochs=40, learning_rate=0.01).fit(X, y).score(X, y)
    1.0
    """

    def __init__(
        self,
        units: int = 256,
        dropout: float = 0.5,
        weight_decay: float = 1e-3,
        learning_rate: float = 1e-3,
        epochs: int = 60,
        patience: int = 8,
        batch_size: int = 64,
        random_state: int = 0,
    ) -> None:
        self.units = units
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: Rows | None = None) -> DenseHead:
        """Train on features (n, d) with labels (n,); equal groups (n,) stay together."""
        features, labels, targets = checked(self, X, y, dtype=np.float32)
        self.classes_ = np.unique(labels)
        own = np.arange(len(targets)) if groups is None else groups
        train, held_out = hold_out(targets, own, self.random_state)
        self._train(features[train], targets[train], features[held_out], targets[held_out])
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return logits: (n, k), or (n,) for two classes, positive for the second."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return class probabilities, (n, k), rows sum to 1."""
        from scipy.special import softmax

        probabilities: NDArray[np.float32] = softmax(self._logits(X), axis=1)
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each row, (n,)."""
        best = self._logits(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def _logits(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        kernel, bias, top_kernel, top_bias = self.weights_
        hidden = np.maximum(X @ kernel + bias, 0)
        logits: NDArray[np.float32] = hidden @ top_kernel + top_bias
        return logits

    def _train(
        self,
        X: NDArray[np.float32],
        y: NDArray[np.intp],
        X_held_out: NDArray[np.float32],
        y_held_out: NDArray[np.intp],
    ) -> None:
        from ...extract.backbone.loading import load_keras, load_tensorflow, without_autotune

        keras, tensorflow = load_keras(), load_tensorflow()
        seeds = np.random.SeedSequence(self.random_state).generate_state(3).tolist()
        # Nothing is drawn from a state that folds, fitted side by side, or the caller share.
        first, top = (keras.initializers.GlorotUniform(seed) for seed in seeds[:2])
        network = keras.Sequential(
            [
                keras.Input((X.shape[1],)),
                keras.layers.Dense(self.units, activation="relu", kernel_initializer=first),
                keras.layers.Dropout(self.dropout, seed=seeds[2]),
                keras.layers.Dense(len(self.classes_), kernel_initializer=top),
            ]
        )
        network.compile(
            keras.optimizers.AdamW(self.learning_rate, weight_decay=self.weight_decay),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        early = keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True)
        watched = len(X_held_out) > 0

        def batches(*arrays: NDArray[Any], shuffled: bool) -> Any:
            data = tensorflow.data.Dataset.from_tensor_slices(arrays)
            if shuffled:
                data = data.shuffle(len(arrays[0]), seed=self.random_state)
            return without_autotune(data.batch(self.batch_size))

        history = network.fit(
            batches(X, y, shuffled=True),
            epochs=self.epochs,
            validation_data=batches(X_held_out, y_held_out, shuffled=False) if watched else None,
            callbacks=[early] if watched else [],
            shuffle=False,  # of whole batches; their images are shuffled above
            verbose=0,
        )
        self.epochs_ = early.best_epoch + 1 if watched else len(history.epoch)
        self.weights_ = [np.asarray(array) for array in network.get_weights()]
