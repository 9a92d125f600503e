"""The cache: content-addressed features in immutable HDF5 segments."""

from .claims import Claims
from .mirror import place_of
from .place import cache_folder, default_cache
from .remote import UnsentError
from .rows import StoredRows
from .segment import DamagedSegmentError
from .spec import FeatureSpec
from .statindex import Sighting, StatIndex, stat_index_path
from .store import FeatureStore

__all__ = [
    "Claims",
    "DamagedSegmentError",
    "FeatureSpec",
    "FeatureStore",
    "Sighting",
    "StatIndex",
    "StoredRows",
    "UnsentError",
    "cache_folder",
    "default_cache",
    "place_of",
    "stat_index_path",
]
