"""From networks to a bundle on disk: all or nothing, and the same bytes for the same input."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

from inference.bundle.familiarity import Familiarity
from inference.bundle.familiarity_tensors import to_arrays
from inference.bundle.loading import MANIFEST_FILE, WEIGHTS_FILE, require_known_shapes
from inference.bundle.manifest import Description, Manifest, Tensor, Weights, seal
from inference.errors import BundleError
from inference.models.multiview import MultiView

_DTYPES: Mapping[torch.dtype, str] = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
}


def write_bundle(
    folder: Path,
    description: Description,
    networks: Mapping[str, MultiView],
    familiarity: Familiarity | None = None,
) -> Manifest:
    """Write networks (by the prefix that the description gives them) as a new bundle.

    `familiarity` has a space for each network, and its limits stand in the manifest.

    Weights keep their dtype: call `.half()` on a network for a smaller file.

    Raises:
        BundleError: the folder exists, or networks and description do not fit together.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists already; choose another folder or remove it")
    description = description.model_copy(
        update={"familiarity": None if familiarity is None else familiarity.limits}
    )
    tensors = _tensors(description, networks) | _spaces(description, familiarity)
    weights = save(tensors)
    manifest = seal(
        description,
        {name: _spec(name, tensor) for name, tensor in sorted(tensors.items())},
        Weights(sha256=hashlib.sha256(weights).hexdigest(), size_bytes=len(weights)),
    )
    require_known_shapes(manifest)
    text = manifest.model_dump_json(indent=2) + "\n"
    _place(folder, {WEIGHTS_FILE: weights, MANIFEST_FILE: text.encode("utf-8")})
    return manifest


def _tensors(
    description: Description, networks: Mapping[str, MultiView]
) -> dict[str, torch.Tensor]:
    described = {network.prefix for network in description.networks}
    if described != networks.keys():
        raise BundleError(
            f"the description names the networks {sorted(described)}, given are {sorted(networks)}"
        )
    return {
        f"{prefix}.{name}": tensor.detach().cpu().contiguous()
        for prefix, network in networks.items()
        for name, tensor in network.state_dict().items()
    }


def _spaces(description: Description, familiarity: Familiarity | None) -> dict[str, torch.Tensor]:
    if familiarity is None:
        return {}
    described = {network.prefix for network in description.networks}
    if described != familiarity.spaces.keys():
        raise BundleError(
            f"the description names the networks {sorted(described)}, familiarity is given of "
            f"{sorted(familiarity.spaces)}"
        )
    arrays = to_arrays(familiarity.spaces).items()
    return {name: torch.from_numpy(array).contiguous() for name, array in arrays}


def _spec(name: str, tensor: torch.Tensor) -> Tensor:
    if tensor.dtype not in _DTYPES:
        raise BundleError(f"tensor {name} is {tensor.dtype}; use float32, float16 or bfloat16")
    if not torch.isfinite(tensor).all():
        raise BundleError(f"tensor {name} holds numbers that are not finite; train it again")
    return Tensor.model_validate({"shape": tuple(tensor.shape), "dtype": _DTYPES[tensor.dtype]})


def _place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files to a folder that appears complete or not at all, also when the power fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, data in files.items():
            with (growing / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        growing.chmod(0o755)
        _sync(growing)
        growing.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
