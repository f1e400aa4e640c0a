"""What stands for a pipeline that could not be loaded: its jobs fail, those of others go on."""

from typing import Any

from inference.errors import PipelineUnusableError


class Unusable:
    """Whatever is asked of it fails with the reason; its failed jobs are tried again later."""

    def __init__(self, name: str, reason: Exception) -> None:
        self.name = name
        self._reason = str(reason)

    def __getattr__(self, asked: str) -> Any:
        raise PipelineUnusableError(self.name, self._reason)
