"""The cache: content-addressed features in immutable HDF5 segments."""

from .place import default_cache, stat_index_path
from .rows import StoredRows
from .spec import FeatureSpec
from .statindex import Sighting, StatIndex
from .store import DamagedSegmentError, FeatureStore

__all__ = [
    "DamagedSegmentError",
    "FeatureSpec",
    "FeatureStore",
    "Sighting",
    "StatIndex",
    "StoredRows",
    "default_cache",
    "stat_index_path",
]
