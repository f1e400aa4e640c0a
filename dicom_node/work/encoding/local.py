"""The encoder in this process."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from inference.pipeline import Pipeline, encode_with
from inference.types import Features


class LocalEncoder:
    """Encodes at once, on the thread that submits: a worker has nothing better to do meanwhile.

    A future that is given back is done.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def submit(self, looks: Sequence[Any]) -> Future[list[Features]]:
        """Encode looks; see `inference.pipeline.Encoder`."""
        future: Future[list[Features]] = Future()
        try:
            future.set_result(encode_with(self._pipeline, looks))
        except Exception as error:  # noqa: BLE001 - it is the future's
            future.set_exception(error)
        try:
            return future
        finally:
            # The exception leads to this frame: with the future in it, memory would stay in use.
            del future
