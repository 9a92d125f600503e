"""What an approach took: to find, to train again, to label."""

from __future__ import annotations

from dataclasses import dataclass

from .documents import PartsDocument
from .run_all import Run


@dataclass(frozen=True, slots=True)
class Spent:
    """What an approach took on the dataset's own split."""

    run: Run  # of the approach
    rate: float | None  # images/s from file to features; None where it could not be measured

    @property
    def features(self) -> float | None:
        """Seconds of all its features, at the measured rate where they were cached."""
        extraction = self.run.bench.table.features.extraction
        if extraction.reused == 0:
            return extraction.seconds
        if self.rate is None:
            return None
        return extraction.seconds + extraction.reused / self.rate

    @property
    def to_find(self) -> float:
        """Seconds of features, all that was tried, and the training of what was chosen."""
        return self.to_train_again + self.run.own.seconds["selection"]

    @property
    def to_train_again(self) -> float:
        """Seconds of features and of the training of what was chosen."""
        return (self.features or 0.0) + self.run.own.seconds["training"]

    @property
    def parts(self) -> PartsDocument:
        """Wall time by part; features count as if none had been cached."""
        seconds = self.run.own.seconds
        return {
            "features": None if self.features is None else round(self.features, 3),
            "selection": round(seconds["selection"], 3),
            "training": round(seconds["training"], 3),
            "prediction": round(seconds["prediction"], 3),
        }

    @property
    def labels_per_second(self) -> float | None:
        """Images/s from file to label."""
        if self.rate is None:
            return None
        return 1 / (1 / self.rate + self.run.own.seconds["prediction"] / len(self.run.truths[0]))
