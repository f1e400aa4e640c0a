"""The encoder as it runs in the node: the network's numbers, several times as fast.

Batch normalisation is folded into the convolutions, memory is channels-last, and where the chip
multiplies bfloat16 the encoder does. Every call of the network has the same shape, the rest filled
with zeros, so that a frame's feature is the same whatever else is encoded with it.

Compilation and OpenVINO are faster, for ResNet50 by a fifth in bfloat16 and by two thirds in
float32, and are not used: the one needs a C++ compiler at the hospital, the other is a second
runtime to prove right on every chip (`python -m tests.benchmark.model` measures both).
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from inference.errors import InferenceError

Precision = Literal["fp32", "bf16"]

#: Frames in one call of the network. A CPU is busy with one loop; a GPU wants many.
_CPU_FRAMES, _CUDA_FRAMES = 10, 160


def choose_precision(wanted: str, device: torch.device) -> Precision:
    """The precision for "auto" (bf16 where the chip has instructions for it), "fp32" or "bf16".

    Raises:
        InferenceError: no such precision.
    """
    known = get_args(Precision)
    if wanted == "auto":
        return "bf16" if _multiplies_bfloat16(device) else "fp32"
    if wanted not in known:
        raise InferenceError(f"precision {wanted!r} is unknown; choose 'auto' or one of {known}")
    return "bf16" if wanted == "bf16" else "fp32"


class FrameEncoder:
    """One encoder on one device; the network it was made from stays as it is."""

    def __init__(self, encoder: nn.Module, device: torch.device, precision: Precision) -> None:
        self._device = device
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._at_once = _CUDA_FRAMES if device.type == "cuda" else _CPU_FRAMES
        folded = fuse(encoder.eval())  # a copy
        self._network = folded.to(device, self._dtype).to(memory_format=torch.channels_last)

    def __call__(self, frames: Tensor) -> Tensor:
        """Encode float32 frames (N, 1, S, S) in host memory to float32 features (N, d)."""
        return torch.cat([self._encode(part) for part in torch.split(frames, self._at_once)])

    def _encode(self, frames: Tensor) -> Tensor:
        there = len(frames)
        if there < self._at_once:
            frames = nn.functional.pad(frames, (0, 0) * 3 + (0, self._at_once - there))
        if self._device.type == "cuda":
            frames = frames.pin_memory().to(self._device, non_blocking=True)
        frames = frames.to(self._dtype, memory_format=torch.channels_last)
        features: Tensor = self._network(frames)
        return features[:there].float()


def frame_encoders(
    encoders: Sequence[nn.Module], device: torch.device, precision: Precision
) -> list[FrameEncoder]:
    """One for each network; networks whose encoders are equal to the bit share one."""
    made: list[FrameEncoder] = []
    for number, encoder in enumerate(encoders):
        equal = (k for k, other in enumerate(encoders[:number]) if _are_equal(encoder, other))
        first = next(equal, None)
        made.append(FrameEncoder(encoder, device, precision) if first is None else made[first])
    return made


def _are_equal(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(tensor, theirs[name]) for name, tensor in ours.items()
    )


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Emulated, bfloat16 is slower than float32; a PyTorch that cannot tell is taken at its worst.
    capabilities: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
