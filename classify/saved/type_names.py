"""Our estimators as plain dictionaries: a file names them by a name of a table, never by a module.

skops and joblib store the module that a class lies in, so that moving a module would break every
file. They are given these dictionaries instead, and scikit-learn's own estimators as they are.
"""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from ...errors import ModelError
from ..data.columns import TapSelector
from ..heads.calibration import TemperatureScaled
from ..heads.scaler import PowerScaler
from ..heads.table import HEADS

TYPE = "headstart"  # the key that tells these dictionaries from others: the name of the class
PACKAGE = __name__.partition(".")[0]

_ESTIMATORS = (
    TemperatureScaled,
    TapSelector,
    PowerScaler,
    *(type(h.make(0)) for h in HEADS.values()),
)
# What a file says to what it means. These names are part of the format: a class that is renamed
# keeps its old one here.
CLASSES: dict[str, type] = {
    kind.__name__: kind for kind in _ESTIMATORS if kind.__module__.partition(".")[0] == PACKAGE
}
PIPELINE = "Pipeline"


def to_plain(estimator: Any) -> Any:
    """Return an estimator without classes of ours: dictionaries in their place, however deep.

    Parameters
    ----------
    estimator : object
        One of ours, a pipeline, or anything else, which is returned as it is.

    Examples
    --------
    >>> to_plain(PowerScaler(power=0.5))
    {'headstart': 'PowerScaler', 'power': 0.5}
    """
    return _plain(estimator, {})


def _plain(value: Any, done: dict[int, dict[str, Any]]) -> Any:
    """Return ``value`` made plain; what stands twice in it stays one object."""
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, Pipeline):
        steps = [(name, _plain(step, done)) for name, step in value.steps]
        plain = {TYPE: PIPELINE, "steps": steps}
    elif CLASSES.get(type(value).__name__) is type(value):
        state = {name: _plain(part, done) for name, part in vars(value).items()}
        plain = {TYPE: type(value).__name__, **state}
    else:
        return value
    done[id(value)] = plain
    return plain


def from_plain(plain: Any) -> Any:
    """Return what :func:`to_plain` was given; no code but ours and scikit-learn's is run.

    Raises
    ------
    ModelError
        If a name is not in the table.

    Examples
    --------
    >>> from_plain({"headstart": "PowerScaler", "power": 0.5})
    PowerScaler(power=0.5)
    """
    return _estimator(plain, {})


def _estimator(plain: Any, done: dict[int, Any]) -> Any:
    if not isinstance(plain, dict) or TYPE not in plain:
        return plain
    if id(plain) in done:
        return done[id(plain)]
    name, state = plain[TYPE], {key: part for key, part in plain.items() if key != TYPE}
    if name == PIPELINE:
        value: Any = Pipeline([(step, _estimator(part, done)) for step, part in state["steps"]])
    elif name in CLASSES:
        value = object.__new__(CLASSES[name])
        vars(value).update({key: _estimator(part, done) for key, part in state.items()})
    else:
        raise ModelError(f"holds an estimator that this headstart does not know: {name!a}")
    done[id(plain)] = value
    return value
