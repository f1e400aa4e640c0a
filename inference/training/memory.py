"""Out of memory, said in the words of the recipe."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from inference.errors import TrainingDataError
from inference.training.recipe import Recipe
from inference.training.sampling import per_process

#: What torch's allocators and the libraries below them say, in lower case.
_SIGNS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")


@contextmanager
def shortage_explained(recipe: Recipe, device: torch.device, processes: int) -> Iterator[None]:
    """Turn a shortage of memory into the keys of the recipe that need less.

    Raises:
        TrainingDataError: memory ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        where = "of the GPU" if device.type == "cuda" else "of this machine"
        remedies = "\n  ".join(_remedies(recipe, device, per_process(recipe.sampling, processes)))
        raise TrainingDataError(
            f"out of memory: the memory {where} is too small for this recipe. Set in the recipe, "
            f"the first of these first, and train into another folder:\n  {remedies}"
        ) from error


def _is_shortage(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        sign in said for sign in _SIGNS
    )


def _remedies(recipe: Recipe, device: torch.device, exams: int) -> Iterator[str]:
    if not recipe.device.checkpoints(device.type):
        yield "device.activation_checkpointing = true: a third of the memory, a third slower"
    if recipe.device.precision == "float32":
        yield 'device.precision = "bfloat16": two thirds of the memory, coarser numbers'
    at_once = min(exams, recipe.sampling.micro_batch_exams or exams)
    if at_once > 1:
        yield (
            f"sampling.micro_batch_exams = {at_once // 2}: half of the memory, but BatchNorm then "
            f"sees {at_once // 2} exams at a time instead of {at_once}, which changes the model"
        )
    yield "sampling.loops, sampling.frames, frame_size_px: fewer of them change the model most"
