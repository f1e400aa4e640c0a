"""Where the networks run."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from inference.errors import InferenceError


def choose_device(wanted: str) -> torch.device:
    """The device for "auto" (CUDA where there is one, else the CPU), "cpu", "cuda" or "cuda:1".

    Raises:
        InferenceError: no such device here.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return torch.device("cuda" if there else "cpu")
    known = ["cpu", *(["cuda"] if there else []), *(f"cuda:{number}" for number in range(there))]
    if wanted not in known:
        raise InferenceError(
            f"device {wanted!r} is not here; set the device to 'auto' or to one of {known}"
        )
    return torch.device(wanted)


@contextmanager
def reproducible() -> Iterator[None]:
    """No gradients, no hidden TF32, always the same kernels: the same input, the same number."""
    with torch.inference_mode(), same_kernels():
        yield


@contextmanager
def same_kernels() -> Iterator[None]:
    """The same, for what needs gradients."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield
