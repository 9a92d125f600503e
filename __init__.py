"""headstart: a folder of photographs becomes a classifier, and a report says how good it is.

What the commands do, with the same words; each returns a result that prints, is a table in a
notebook, and has ``to_dict()`` and ``to_frame()``:

- ``extract_features(data)``: fill the cache, or write one table for other tools; ``plan(data)``:
  how long that takes;
- ``fit_head(data)``, ``fit_finetune(data)``: train, evaluate once, save with ``out=``;
- ``compare(data)``: heads on frozen features against fine-tuning, and which to use;
- ``learning_curve(data)``, ``rank(data)``: what more images bring; which features first;
- ``inspect(data)``: duplicates, leaks, likely label errors, outliers; ``search(data, image)``,
  ``group(data)``: photographs that look like some, or like each other;
- ``label(data)``: a page that turns unlabelled photographs into a manifest; ``simulate(data)``:
  how many labels it would have taken;
- ``predict(model, images)``, ``evaluate(model, data)``, ``explain(model, images)``;
- ``export(model, out)``: ONNX, TensorFlow Lite, SavedModel, Keras; ``push(model, repo)``: to the
  Hugging Face Hub.

For scikit-learn:

- ``ImageFeatures()``: a transformer from images to cached features;
- ``load(path)``: a saved classifier, ``Classifier``, with ``predict`` and ``predict_proba``;
- ``LogisticHead``, ``HingeHead``, ``RidgeHead``, ``DiscriminantHead``, ``CentroidHead``,
  ``DenseHead``: the heads that are our own, for any features; ``PowerScaler`` goes before them;
- ``TemperatureScaled(head)``: probabilities that mean what they say.

``headstart.console.stages()`` shows progress; ``logging.getLogger("headstart")`` hears it, too.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import HeadstartError
from .version import __version__

if TYPE_CHECKING:
    from .api.compare import compare
    from .api.evaluate import evaluate
    from .api.explain import explain
    from .api.export import export
    from .api.extract_features import extract_features
    from .api.fit_finetune import fit_finetune
    from .api.fit_head import fit_head
    from .api.group import group
    from .api.inspect import inspect
    from .api.label import label
    from .api.learning_curve import learning_curve
    from .api.plan import plan
    from .api.predict import predict
    from .api.push import push
    from .api.rank import rank
    from .api.search import search
    from .api.simulate import simulate
    from .classify.heads.calibration import TemperatureScaled
    from .classify.heads.dense import DenseHead
    from .classify.heads.linear.estimators import (
        CentroidHead,
        DiscriminantHead,
        HingeHead,
        LogisticHead,
        RidgeHead,
    )
    from .classify.heads.scaler import PowerScaler
    from .classify.predict.classifier import Classifier, load
    from .extract.transformer import ImageFeatures

__all__ = [
    "CentroidHead",
    "Classifier",
    "DenseHead",
    "DiscriminantHead",
    "HeadstartError",
    "HingeHead",
    "ImageFeatures",
    "LogisticHead",
    "PowerScaler",
    "RidgeHead",
    "TemperatureScaled",
    "__version__",
    "compare",
    "evaluate",
    "explain",
    "export",
    "extract_features",
    "fit_finetune",
    "fit_head",
    "group",
    "inspect",
    "label",
    "learning_curve",
    "load",
    "plan",
    "predict",
    "push",
    "rank",
    "search",
    "simulate",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())

_ELSEWHERE = {  # what does not live in a module of its own name in api/
    "Classifier": ".classify.predict.classifier",
    "DenseHead": ".classify.heads.dense",
    "ImageFeatures": ".extract.transformer",
    "PowerScaler": ".classify.heads.scaler",
    "TemperatureScaled": ".classify.heads.calibration",
    **dict.fromkeys(
        ("CentroidHead", "DiscriminantHead", "HingeHead", "LogisticHead", "RidgeHead"),
        ".classify.heads.linear.estimators",
    ),
    "load": ".classify.predict.classifier",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and with it what it needs: TensorFlow, scikit-learn."""
    if name in __all__:
        return getattr(import_module(_ELSEWHERE.get(name, f".api.{name}"), __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
