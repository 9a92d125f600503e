"""Images that wait together are labelled together."""

from __future__ import annotations

import asyncio
import functools
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ...extract.engine.engine import Images
from ..predict.in_memory import Labels

Row = tuple[NDArray[np.float64], bool]  # probabilities (k,), whether it abstains


class Batcher:
    """Calls a function on what has gathered while its earlier calls ran.

    Nobody waits for company: an image that finds a call free goes at once, alone. What
    waits is shared out evenly, so that no call takes two while another idles. Belongs to one
    event loop; the calls run in threads.

    Parameters
    ----------
    label : callable
        Images (n, V, height, width, 3) to :class:`Labels`; any number of threads may call it.
    size : int
        Most images a call.
    calls : int
        At once.
    seen : callable
        Told the size of each batch.
    """

    def __init__(
        self,
        label: Callable[[Images], Labels],
        size: int,
        calls: int,
        seen: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._label = label
        self._size = size
        self._free = calls
        self._seen = seen
        self._waiting: deque[tuple[Images, asyncio.Future[Row]]] = deque()
        self._pool = ThreadPoolExecutor(calls, "label")

    def __len__(self) -> int:
        return len(self._waiting)

    async def __call__(self, views: Images) -> Row:
        """Return the labels of one image's views (V, height, width, 3)."""
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._waiting.append((views, answer))
        self._start()
        return await answer

    def close(self) -> None:
        """Let the threads end once their calls have."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self) -> None:
        """Begin as many calls as are free and there are images for."""
        while self._free and self._waiting:
            share = min(self._size, math.ceil(len(self._waiting) / self._free))
            taken = [self._waiting.popleft() for _ in range(share)]
            wanted = [pair for pair in taken if not pair[1].done()]  # some were given up
            if not wanted:
                continue
            self._free -= 1
            self._seen(len(wanted))
            images, answers = zip(*wanted, strict=True)
            loop = asyncio.get_running_loop()
            call = loop.run_in_executor(self._pool, self._run, images)
            call.add_done_callback(functools.partial(self._finish, answers))

    def _run(self, images: tuple[Images, ...]) -> Labels:
        return self._label(np.stack(images))

    def _finish(
        self, answers: tuple[asyncio.Future[Row], ...], call: asyncio.Future[Labels]
    ) -> None:
        self._free += 1
        error = None if call.cancelled() else call.exception()
        for row, answer in enumerate(answers):
            if answer.done():
                continue
            if call.cancelled():
                answer.cancel()
            elif error is not None:
                answer.set_exception(error)
            else:
                labels = call.result()
                answer.set_result((labels.probabilities[row], bool(labels.abstained[row])))
        self._start()
