"""The network as a recipe wants it, and one exam through it as evaluation wants it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models.convnext import CNBlock
from torchvision.models.resnet import BasicBlock, Bottleneck

from inference.models.multiview import MultiView
from inference.models.registry import find_multi_view
from inference.training.augmentation import as_frames
from inference.training.recipe import Device, Fusion, Recipe

#: For the first and for the second computation of a checkpointed block.
Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]

#: How many frames are encoded at once where no gradient is kept.
_FRAMES_AT_ONCE = 160


def build_network(recipe: Recipe, targets: int, seed: int) -> MultiView:
    """A network with weights drawn from the seed alone."""
    with _seeded(seed):
        network = find_multi_view(recipe.architecture).build(targets)
    _freeze(network, recipe.fusion)
    return network


def build_encoder(recipe: Recipe) -> nn.Module:
    """An encoder with weights drawn from the recipe's seed alone."""
    with _seeded(recipe.seed):
        return find_multi_view(recipe.architecture).encoder()


def place(module: nn.Module, encoder: nn.Module, device: torch.device, how: Device) -> None:
    """Bring a module to its device and its encoder into the memory layout of the recipe."""
    module.to(device)
    if how.channels_last:
        encoder.to(memory_format=torch.channels_last)
    if how.checkpoints(device.type):
        _checkpoint_blocks(encoder)


def autocast(device: torch.device, how: Device) -> torch.autocast:
    """The precision of the forward pass."""
    wanted = getattr(torch, how.precision)
    return torch.autocast(device.type, dtype=wanted, enabled=how.precision != "float32")


@contextmanager
def judging(device: torch.device, how: Device) -> Iterator[None]:
    """Without gradients, in the recipe's precision."""
    with torch.inference_mode(), autocast(device, how):
        yield


def loop_features(network: MultiView, pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Encode all loops of one exam, uint8 (L, T, S, S), to features (L, d), without gradients."""
    loops, times = pixels.shape[:2]
    frames = torch.from_numpy(np.array(pixels)).flatten(0, 1).unsqueeze(1)  # (L*T, 1, S, S)
    encoded = torch.cat(
        [
            network.encoder(as_frames(part.to(device)))
            for part in torch.split(frames, _FRAMES_AT_ONCE)
        ]
    )  # (L*T, d)
    fused: Tensor = network.frames(encoded.view(loops, times, -1)).feature  # (L, d)
    return fused


def _freeze(network: MultiView, fusion: Fusion) -> None:
    """An attention block that stays at its zero start is the plain mean."""
    network.frames.requires_grad_(requires_grad=fusion.frames == "attention")
    network.loops.requires_grad_(requires_grad=fusion.loops == "attention")


def _checkpoint_blocks(encoder: nn.Module) -> None:
    """Let every residual block keep only its input and compute itself again on the way back."""
    for block in encoder.modules():
        if isinstance(block, BasicBlock | Bottleneck | CNBlock):
            again = partial(_context, block)
            block.forward = partial(_checkpointed, block.forward, again)


def _checkpointed(
    forward: Callable[[Tensor], Tensor], contexts: Callable[[], Contexts], frames: Tensor
) -> Tensor:
    kept: Tensor = checkpoint(forward, frames, use_reentrant=False, context_fn=contexts)
    return kept


def _context(block: nn.Module) -> Contexts:
    return nullcontext(), _same_statistics(block)


@contextmanager
def _same_statistics(block: nn.Module) -> Iterator[None]:
    """Keep BatchNorm from counting a batch twice when it is computed again."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
