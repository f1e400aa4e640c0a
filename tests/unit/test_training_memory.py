"""How much memory the paper's step takes, counted from what its backward pass has to keep."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from inference.training.network import build_encoder, place
from inference.training.recipe import Device, Recipe

#: A quarter of the paper's side: what is kept grows with the square of it.
SIDE, GROWTH = 64, 16
GIB = 2**30
#: A GPU of 24 GB less what the CUDA context, cuDNN's workspaces and fragments take.
ROOM_GIB = 20


def kept_bytes(forward: Callable[[], Tensor], parameters: set[int]) -> int:
    """The size of all different tensors, parameters apart, kept for the way back."""
    sizes: dict[int, int] = {}
    alive = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # so that no other takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    return sum(sizes.values())


def step_gib(recipe: Recipe, device_type: str) -> float:
    """At most what one step of 256 x 256 frames takes, with weights, gradients and Adam's moments.

    Checkpointed, it is less: when an early block is computed again, the later ones are done.
    """
    encoder = build_encoder(recipe).train()
    checkpoints = recipe.device.checkpoints(device_type)
    how = Device(name="cpu", activation_checkpointing=checkpoints)
    place(encoder, encoder, torch.device("cpu"), how)
    own = {each.untyped_storage().data_ptr() for each in encoder.parameters()}
    frame = torch.rand(1, 1, SIDE, SIDE).expand(2, 1, SIDE, SIDE).contiguous()
    kept = kept_bytes(partial(encoder, frame), own)
    if checkpoints:  # on the way back, one block at a time is whole again
        kept += kept_bytes(partial(Bottleneck(64, 64, downsample=widen()), wide(frame)), own)
    sampling = recipe.sampling
    frames = sampling.exams * sampling.loops * sampling.frames
    weights = 4 * 4 * sum(each.numel() for each in encoder.parameters())
    return (kept / 2 * GROWTH * frames + weights) / GIB


def widen() -> nn.Module:
    return nn.Sequential(nn.Conv2d(64, 256, 1), nn.BatchNorm2d(256))


def wide(frame: Tensor) -> Tensor:
    return torch.rand(len(frame), 64, SIDE // 4, SIDE // 4)


def test_the_papers_recipe_fits_a_gpu_of_24_gb_by_default_with_its_own_batch() -> None:
    recipe = Recipe(name="paper")
    assert recipe.sampling.micro_batch_exams is None, "BatchNorm sees all 12 exams"
    assert step_gib(recipe, "cuda") < ROOM_GIB


def test_without_checkpointing_it_would_not_fit() -> None:
    plain = Recipe(name="paper", device=Device(activation_checkpointing=False))
    assert 30 < step_gib(plain, "cuda") < 34  # 31.3 GiB were measured on a GPU


def test_a_cpu_computes_everything_once_unless_told_otherwise() -> None:
    assert not Device().checkpoints("cpu")
    assert Device(activation_checkpointing=True).checkpoints("cpu")
    assert not Device(activation_checkpointing=False).checkpoints("cuda")
