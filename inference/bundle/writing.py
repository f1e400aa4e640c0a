"""From networks to a bundle on disk: all or nothing, and the same bytes for the same input."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from inference.bundle.card import LARGEST_CARD_BYTES, MODEL_CARD_FILE, model_card
from inference.bundle.familiarity import PICTURE, Familiarity
from inference.bundle.familiarity_tensors import to_arrays
from inference.bundle.loading import (
    MANIFEST_FILE,
    WEIGHTS_FILE,
    fill,
    load_bundle,
    require_known_shapes,
)
from inference.bundle.manifest import Description, Manifest, Tensor, Weights, seal
from inference.bundle.self_test import self_test
from inference.errors import BundleError
from inference.regular_files import read_regular

_DTYPES: Mapping[torch.dtype, str] = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
}


def write_bundle(
    folder: Path,
    description: Description,
    networks: Mapping[str, nn.Module],
    familiarity: Familiarity | None = None,
) -> Manifest:
    """Write networks (by the prefix that the description gives them) as a new bundle.

    `familiarity` has a space for each network and that of the pictures; its limits stand in the
    manifest.

    Weights keep their dtype: call `.half()` on a network for a smaller file.

    Raises:
        BundleError: the folder exists, networks and description do not fit together, or the
            networks give numbers that are not finite.
    """
    require_new(folder)
    description = description.model_copy(
        update={"familiarity": None if familiarity is None else familiarity.limits}
    )
    tensors = _tensors(description, networks) | _spaces(description, familiarity)
    stated = {name: _spec(name, tensor) for name, tensor in sorted(tensors.items())}
    require_known_shapes(description, stated)
    weights = save(tensors)
    described, card = with_card(description)
    manifest = seal(
        described,
        stated,
        Weights(sha256=hashlib.sha256(weights).hexdigest(), size_bytes=len(weights)),
        # As a node will load them: in float32, whatever was trained.
        self_test(description, fill(description, tensors, torch.device("cpu"))),
    )
    _place(folder, weights, manifest, card)
    return manifest


def write_again(folder: Path, source: Path, description: Description) -> Manifest:
    """Write the weights of the bundle in `source` under another description, byte for byte.

    Raises:
        BundleError: the folder exists, or the source cannot be used.
    """
    require_new(folder)
    loaded = load_bundle(source, torch.device("cpu"))
    known = loaded.manifest
    try:
        weights = read_regular(source / WEIGHTS_FILE, known.weights.size_bytes)
    except OSError as error:
        raise BundleError(f"{source / WEIGHTS_FILE} cannot be read ({error.strerror})") from error
    described, card = with_card(description)
    answers = known.self_test or self_test(known, loaded.by_prefix)
    manifest = seal(described, known.tensors, known.weights, answers)
    _place(folder, weights, manifest, card)
    return manifest


def require_new(folder: Path) -> None:
    """Refuse a folder that exists: a bundle is never written over.

    Raises:
        BundleError: it exists.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists already; choose another folder or remove it")


def with_card(description: Description) -> tuple[Description, bytes]:
    """The description with the digest of its model card, and the card.

    Raises:
        BundleError: the card is larger than a node reads.
    """
    card = model_card(description).encode("utf-8")
    if len(card) > LARGEST_CARD_BYTES:
        raise BundleError(
            f"the model card has {len(card)} bytes, more than the {LARGEST_CARD_BYTES} allowed: "
            "shorten intended use, limitations or licence"
        )
    sha256 = hashlib.sha256(card).hexdigest()
    return description.model_copy(update={"model_card_sha256": sha256}), card


def _tensors(
    description: Description, networks: Mapping[str, nn.Module]
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
    described = {network.prefix for network in description.networks} | {PICTURE}
    if described != familiarity.spaces.keys():
        raise BundleError(
            f"familiarity needs the spaces {sorted(described)}, given are "
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


def _place(folder: Path, weights: bytes, manifest: Manifest, card: bytes) -> None:
    """Write the files to a folder that appears whole or not at all, also when the power fails."""
    document = manifest.model_dump_json(indent=2) + "\n"
    files = {
        WEIGHTS_FILE: weights,
        MODEL_CARD_FILE: card,
        MANIFEST_FILE: document.encode("utf-8"),
    }
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
