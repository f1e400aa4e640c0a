"""From a folder on disk to networks in memory, every doubt refused before memory is taken.

The order is: manifest (format, keys, digest), manifest against architecture, digest of the model
card, size and digest of the weights file, its names, shapes and dtypes against the manifest, then
the numbers, and at last the self-test. Weights are safetensors, which holds numbers and nothing
that could run.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from torch import nn

from inference.bundle import familiarity_tensors
from inference.bundle.card import LARGEST_CARD_BYTES, MODEL_CARD_FILE
from inference.bundle.familiarity import Familiarity, feature_sizes
from inference.bundle.formats import FORMAT_VERSION, as_today
from inference.bundle.manifest import Description, Manifest, Network, Tensor, digest_of
from inference.bundle.self_test import require_passed
from inference.errors import BundleError
from inference.models.registry import find_architecture, find_multi_view, without_storage
from inference.regular_files import read_regular, require_regular

NetworkT = TypeVar("NetworkT", bound=nn.Module)

MANIFEST_FILE = "manifest.json"
WEIGHTS_FILE = "model.safetensors"

#: Far above any real manifest; it keeps a wrong file from being read into memory.
_LARGEST_MANIFEST_BYTES = 8_000_000
#: safetensors dtype of whole numbers; all other dtypes that a manifest may state are fractions.
_WHOLE = "I64"
_REPACK = "get the bundle again or pack it anew (echonode bundle pack)"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A manifest and its networks, in the manifest's order, in float32 and evaluation mode.

    `familiarity` tells loops unlike those of the training; None where the bundle cannot.
    """

    manifest: Manifest
    networks: tuple[nn.Module, ...]
    familiarity: Familiarity | None = None

    @property
    def by_prefix(self) -> dict[str, nn.Module]:
        """The networks by their prefix."""
        prefixes = (network.prefix for network in self.manifest.networks)
        return dict(zip(prefixes, self.networks, strict=True))

    def networks_of(self, kind: type[NetworkT]) -> tuple[NetworkT, ...]:
        """All networks, which a pipeline expects to be of a kind.

        Raises:
            BundleError: one is of another.
        """
        for spec, network in zip(self.manifest.networks, self.networks, strict=True):
            if not isinstance(network, kind):
                raise BundleError(
                    f"network {spec.prefix} ({spec.architecture}) is none that the pipeline "
                    f"{self.manifest.pipeline} runs: {_REPACK}"
                )
        return tuple(network for network in self.networks if isinstance(network, kind))


def load_bundle(folder: Path, device: torch.device) -> Bundle:
    """Read a bundle and place its networks on a device.

    Raises:
        BundleError: the bundle is missing, damaged, too new or inconsistent, or its networks
            compute something else here than where they were packed.
    """
    manifest = read_manifest(folder)
    require_known_shapes(manifest, manifest.tensors)
    read_model_card(folder, manifest)
    tensors = _read_weights(folder / WEIGHTS_FILE, manifest)
    networks = fill(manifest, tensors, device)
    if manifest.self_test is not None:
        require_passed(manifest, manifest.self_test, networks)
    return Bundle(manifest, tuple(networks.values()), _familiarity(manifest, tensors))


def read_manifest(folder: Path) -> Manifest:
    """Read and check manifest.json; the weights are not touched.

    Raises:
        BundleError: it is missing, not JSON, too new, changed, or has unknown or wrong keys.
    """
    path = folder / MANIFEST_FILE
    try:
        document = json.loads(read_regular(path, _LARGEST_MANIFEST_BYTES).decode("utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); is it a bundle?") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not JSON; {_REPACK}") from error
    _require_format(path, document)
    try:
        manifest = Manifest.model_validate_json(json.dumps(as_today(document)))
    except ValidationError as error:
        raise BundleError(f"{path}: {_first_mistakes(error)}; {_REPACK}") from error
    if digest_of(document) != manifest.digest:
        raise BundleError(f"{path} was changed after it was packed; {_REPACK}")
    return manifest


def read_model_card(folder: Path, manifest: Manifest) -> str | None:
    """The bundle's model card, an HTML page; None where the manifest names none.

    Raises:
        BundleError: it is missing, or not the one that the bundle was packed with.
    """
    if manifest.model_card_sha256 is None:
        return None
    path = folder / MODEL_CARD_FILE
    try:
        content = read_regular(path, LARGEST_CARD_BYTES)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); {_REPACK}") from error
    if hashlib.sha256(content).hexdigest() != manifest.model_card_sha256:
        raise BundleError(f"{path} was changed after it was packed; {_REPACK}")
    return content.decode("utf-8")


def require_known_shapes(description: Description, stated: Mapping[str, Tensor]) -> None:
    """Compare the tensors that a manifest states with what its architectures need.

    Raises:
        BundleError: an architecture is unknown, or a tensor is missing, too many, of another
            shape, or of whole numbers in place of others.
    """
    expected: dict[str, tuple[int, ...]] = {}
    whole = set()
    for network in description.networks:
        for name, tensor in _shapes(description, network).items():
            expected[name] = tuple(tensor.shape)
            if not tensor.is_floating_point():
                whole.add(name)
    judging = _familiarity_tensors(description)
    shapes = {name: tensor.shape for name, tensor in stated.items()}
    _require_same("the architecture", expected | judging, "the manifest", shapes)
    for name, found in stated.items():
        if name in judging and found.dtype != familiarity_tensors.DTYPE:
            raise BundleError(f"tensor {name} is not {familiarity_tensors.DTYPE}; {_REPACK}")
        if (found.dtype == _WHOLE) != (name in whole):
            raise BundleError(f"tensor {name} is {found.dtype}; {_REPACK}")


def fill(
    description: Description, tensors: Mapping[str, torch.Tensor], device: torch.device
) -> dict[str, nn.Module]:
    """The networks, by prefix, from tensors of the right names and shapes.

    Raises:
        BundleError: a number is not finite.
    """
    return {
        network.prefix: _filled(description, network, tensors).to(device)
        for network in description.networks
    }


def _shapes(description: Description, network: Network) -> dict[str, torch.Tensor]:
    """Every tensor that a network needs, by its name in the file, without its numbers."""
    state = _without_storage(description, network).state_dict()
    return {f"{network.prefix}.{name}": tensor for name, tensor in state.items()}


def _without_storage(description: Description, network: Network) -> nn.Module:
    return without_storage(find_architecture(network.architecture), description.outputs(network))


def _familiarity_tensors(description: Description) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors by which a bundle tells unfamiliar loops."""
    if description.familiarity is None:
        return {}
    return familiarity_tensors.shapes_of(description.familiarity.axes, _feature_sizes(description))


def _feature_sizes(description: Description) -> dict[str, int]:
    return feature_sizes(
        {
            network.prefix: find_multi_view(network.architecture).feature_size
            for network in description.networks
        }
    )


def _require_format(path: Path, document: Any) -> None:
    version = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(version, int):
        raise BundleError(f"{path} states no format_version; is it a bundle?")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{path} has format {version}, this node reads up to {FORMAT_VERSION}: "
            "upgrade the node (pip install --upgrade echonode)"
        )


def _first_mistakes(error: ValidationError) -> str:
    mistakes = [
        f"{'.'.join(str(part) for part in mistake['loc']) or 'manifest'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False, include_input=False)
    ]
    rest = f" and {len(mistakes) - 3} more" if len(mistakes) > 3 else ""
    return ", ".join(mistakes[:3]) + rest


def _read_weights(path: Path, manifest: Manifest) -> dict[str, torch.Tensor]:
    _require_intact(path, manifest)
    try:
        with safe_open(path, framework="pt") as file:
            found = {name: _tensor_spec(file.get_slice(name)) for name in file.keys()}  # noqa: SIM118 (no mapping)
            _require_same("the manifest", dict(manifest.tensors), path.name, found)
            return {name: file.get_tensor(name) for name in manifest.tensors}
    except (SafetensorError, OSError, ValidationError) as error:
        raise BundleError(f"{path} is not a safetensors file that fits; {_REPACK}") from error


def _require_intact(path: Path, manifest: Manifest) -> None:
    try:
        size_bytes = require_regular(path)
        if size_bytes != manifest.weights.size_bytes:
            raise BundleError(
                f"{path} has {size_bytes} bytes, the manifest says "
                f"{manifest.weights.size_bytes}: it was cut short or replaced; {_REPACK}"
            )
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); {_REPACK}") from error
    if sha256 != manifest.weights.sha256:
        raise BundleError(f"{path} is damaged: its SHA-256 is not the manifest's; {_REPACK}")


def _tensor_spec(found: Any) -> Tensor:
    return Tensor(shape=tuple(found.get_shape()), dtype=found.get_dtype())


def _require_same(
    wanted_by: str, wanted: Mapping[str, object], offered_by: str, offered: Mapping[str, object]
) -> None:
    for name in _differences(wanted, offered):
        if name not in offered:
            raise BundleError(f"{offered_by} lacks tensor {name}; {_REPACK}")
        if name not in wanted:
            raise BundleError(f"{offered_by} has tensor {name} that nobody knows; {_REPACK}")
        raise BundleError(
            f"tensor {name}: {wanted_by} says {wanted[name]}, "
            f"{offered_by} says {offered[name]}; {_REPACK}"
        )


def _differences(wanted: Mapping[str, object], offered: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(wanted.keys() | offered.keys()):
        if name not in wanted or name not in offered or wanted[name] != offered[name]:
            yield name


def _filled(
    description: Description, network: Network, tensors: Mapping[str, torch.Tensor]
) -> nn.Module:
    start = f"{network.prefix}."
    state = {
        name.removeprefix(start): _in_memory(name, tensor)
        for name, tensor in tensors.items()
        if name.startswith(start)
    }
    filled = _without_storage(description, network)
    filled.load_state_dict(state, strict=True, assign=True)
    return filled.eval().requires_grad_(requires_grad=False)


def _familiarity(manifest: Manifest, tensors: Mapping[str, torch.Tensor]) -> Familiarity | None:
    if manifest.familiarity is None:
        return None
    arrays = {
        name: _in_memory(name, tensors[name]).numpy() for name in _familiarity_tensors(manifest)
    }
    spaces = {
        space: familiarity_tensors.from_arrays(space, arrays) for space in _feature_sizes(manifest)
    }
    return Familiarity(manifest.familiarity, spaces)


def _in_memory(name: str, tensor: torch.Tensor) -> torch.Tensor:
    # A copy: safetensors maps the file, and a file that is replaced must not change the model.
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    copied = tensor.to(dtype, copy=True)
    if not torch.isfinite(copied).all():
        raise BundleError(f"tensor {name} holds numbers that are not finite; {_REPACK}")
    return copied
