"""headstart: image classification by transfer learning."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .extract.transformer import ImageFeatures

__version__ = "0.1.0"
__all__ = ["ImageFeatures", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what needs scikit-learn only when it is asked for."""
    if name == "ImageFeatures":
        from .extract.transformer import ImageFeatures

        return ImageFeatures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
