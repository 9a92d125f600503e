"""headstart: image classification by transfer learning."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .classify.predict.classifier import Classifier, load
    from .extract.transformer import ImageFeatures

__all__ = ["Classifier", "ImageFeatures", "__version__", "load"]

_HEAVY = {  # name to module: what needs scikit-learn is imported only when it is asked for
    "Classifier": ".classify.predict.classifier",
    "ImageFeatures": ".extract.transformer",
    "load": ".classify.predict.classifier",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
