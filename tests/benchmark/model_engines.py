"""Other ways to run an encoder than the node's own, for comparison."""

import ctypes
import platform
from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from inference.models.allocator import keep_freed_memory
from inference.models.frame_encoder import Precision

Encode = Callable[[Tensor], Tensor]

#: As many frames a call as the node encodes on a CPU.
_AT_ONCE = 10


def compiled(encoder: nn.Module, precision: Precision) -> Encode:
    """torch.compile with frozen weights, folded and channels-last; its first call takes long."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    folded = fuse(encoder).to(dtype).to(memory_format=torch.channels_last)
    network = torch.compile(folded, options={"freezing": True})

    def encode(frames: Tensor) -> Tensor:
        parts = torch.split(frames.to(dtype, memory_format=torch.channels_last), _AT_ONCE)
        return torch.cat([network(part) for part in parts]).float()

    return encode


def openvino(encoder: nn.Module, precision: Precision, frames: Tensor) -> Encode:
    """OpenVINO on the CPU, on as many threads as PyTorch has."""
    library = import_module("openvino")
    network = library.Core().compile_model(
        library.convert_model(encoder, example_input=frames[:_AT_ONCE]),
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        },
    )

    def encode(frames: Tensor) -> Tensor:
        parts = torch.split(frames, _AT_ONCE)
        return torch.cat([torch.from_numpy(network(part.numpy())[0].copy()) for part in parts])

    return encode


def unkept(measured: Callable[[], float]) -> Callable[[], float]:
    """A measurement while glibc gives freed memory back, as it does by itself."""

    def measure() -> float:
        if platform.libc_ver()[0] == "glibc":
            # malloc.h: the thresholds at which glibc arrives with large blocks.
            for option, value_bytes in ((-3, 32 << 20), (-1, 64 << 20)):
                ctypes.CDLL(None).mallopt(option, value_bytes)
        try:
            return measured()
        finally:
            keep_freed_memory()

    return measure
