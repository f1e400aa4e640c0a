"""A file of weights: looked into before anything is allocated, and never executed."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.errors import TrainingDataError
from inference.regular_files import require_regular

#: Far above any encoder of frames: ConvNeXt-Tiny has 110 MB, PanEcho with all its heads 160 MB.
LARGEST_BYTES = 4_000_000_000
#: Where files of whole trainings keep the weights.
_WITHIN = ("weights", "state_dict", "model_state_dict", "model")


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """Names and shapes of a file's tensors; `load` reads those that are asked for.

    `dtypes` are safetensors' words (F32, ...), and empty of any other file.
    """

    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    sha256: str
    load: Callable[[list[str]], dict[str, Tensor]]


def open_weights(path: Path) -> WeightsFile:
    """Look into a .safetensors, or a .pth or .pt that torch reads with `weights_only`.

    Raises:
        TrainingDataError: no such file, too large, damaged, or it holds more than tensors.
    """
    try:
        if require_regular(path) > LARGEST_BYTES:
            raise TrainingDataError(f"weights {path.name}: larger than any encoder of frames")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingDataError(f"weights {path.name}: cannot read: {error.strerror}") from None
    if path.suffix == ".safetensors":
        return _safetensors(path, sha256)
    return _pickled(path, sha256)


def _safetensors(path: Path, sha256: str) -> WeightsFile:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            shapes = {name: tuple(each.get_shape()) for name, each in slices.items()}
            dtypes = {name: str(each.get_dtype()) for name, each in slices.items()}
    except (SafetensorError, OSError) as error:
        raise TrainingDataError(f"weights {path.name}: not a safetensors file") from error

    def load(names: list[str]) -> dict[str, Tensor]:
        with safe_open(path, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in names}

    return WeightsFile(shapes, dtypes, sha256, load)


def _pickled(path: Path, sha256: str) -> WeightsFile:
    # On the meta device tensors have shapes and no memory.
    shapes = {name: tuple(tensor.shape) for name, tensor in _state(path, "meta").items()}

    def load(names: list[str]) -> dict[str, Tensor]:
        state = _state(path, "cpu")
        return {name: state[name] for name in names}

    return WeightsFile(shapes, {}, sha256, load)


def _state(path: Path, device: str) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of pickles that are none
            content: Any = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # whatever the bytes of a foreign file make torch's reader raise
        raise TrainingDataError(
            f"weights {path.name}: torch cannot read it as weights alone; it is damaged, or holds "
            "more than tensors. Ask its authors for a safetensors file or a plain state dict"
        ) from error
    for key in _WITHIN:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict):
        raise TrainingDataError(f"weights {path.name}: it holds no state dict")
    return {
        str(name): tensor.detach() for name, tensor in content.items() if isinstance(tensor, Tensor)
    }
