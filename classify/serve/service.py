"""From uploads to answers: decoding in threads, labelling in batches, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from fastapi import Request

from ...errors import DecodeError
from ...version import __version__
from ..predict.in_memory import Labeller
from .answers import Answer, Choice, Failure, Prediction
from .batcher import Batcher, Row
from .limits import UPLOADS_IN_MEMORY, FullError, Limits, Room
from .metrics import Metrics
from .upload import Upload, busy, read_uploads


class Service:
    """What answers ``POST /predict``. Belongs to one event loop."""

    def __init__(self, labeller: Labeller, limits: Limits) -> None:
        model, plan = labeller.model, labeller.source.plan
        self.labeller = labeller
        self.limits = limits
        self.metrics = Metrics(
            {"model": model.name, "backbone": model.spec.backbone, "headstart": __version__}
        )
        self._bytes = Room(UPLOADS_IN_MEMORY * limits.upload_bytes)
        self._requests = Room(limits.concurrency)
        self._images = 0
        self._decoders = ThreadPoolExecutor(plan.workers, "decode")
        self._batcher = Batcher(
            labeller.label, plan.batch_size, labeller.calls, self.metrics.batches.observe
        )
        for name, about, look in (
            ("upload_bytes", "Bytes of uploads in memory.", lambda: self._bytes.taken),
            ("waiting_requests", "Requests that wait for labels.", lambda: self._requests.taken),
            ("waiting_images", "Images received and not yet labelled.", lambda: self._images),
            ("queue_images", "Images decoded that wait for a call.", lambda: len(self._batcher)),
        ):
            self.metrics.watch(f"headstart_{name}", about, look)

    def close(self) -> None:
        """End the threads once their work is done."""
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._batcher.close()

    async def answer(self, request: Request, top: int) -> Answer:
        """Read a request's files and label them.

        Raises
        ------
        HTTPException
            As :func:`read_uploads`; 503 where too many others wait or it takes too long.
        """
        with self._bytes.share() as take_bytes, self._requests.share() as take_request:
            uploads = await read_uploads(request, self.limits, take_bytes)
            try:
                take_request(1)
                async with asyncio.timeout(self.limits.seconds):
                    outcomes = await asyncio.gather(*map(self._label, uploads))
            except FullError:
                most = self.limits.concurrency
                raise busy(f"as many requests wait as may, {most:,}: try again") from None
            except TimeoutError:
                raise busy(f"no labels within {self.limits.seconds:g} seconds: try again") from None
        return self._answer(uploads, outcomes, top)

    async def _label(self, upload: Upload) -> Row | str:
        """Return an image's labels, or the reason why it has none."""
        loop = asyncio.get_running_loop()
        self._images += 1
        try:
            views = await loop.run_in_executor(self._decoders, self.labeller.decode, upload.data)
            return await self._batcher(views)
        except DecodeError as error:
            return str(error)
        finally:
            self._images -= 1

    def _answer(self, uploads: Sequence[Upload], outcomes: Sequence[Row | str], top: int) -> Answer:
        answer = Answer(predictions=[], failed=[])
        for index, (upload, outcome) in enumerate(zip(uploads, outcomes, strict=True)):
            if isinstance(outcome, str):
                answer.failed.append(Failure(index=index, file=upload.name, reason=outcome))
                self.metrics.images.labels("failed").inc()
            else:
                answer.predictions.append(self._prediction(index, upload.name, outcome, top))
                word = "abstained" if outcome[1] else "labelled"
                self.metrics.images.labels(word).inc()
        return answer

    def _prediction(self, number: int, name: str, row: Row, top: int) -> Prediction:
        probabilities, abstained = row
        classes = self.labeller.model.classes
        best = [
            Choice(label=classes[index], probability=float(probabilities[index]))
            for index in np.argsort(-probabilities, kind="stable")[:top]
        ]
        return Prediction(
            index=number,
            file=name,
            label=None if abstained else best[0].label,
            probability=best[0].probability,
            abstained=abstained,
            top=best,
        )
