"""What is kept after every validation, so that a killed run goes on with the same result.

Nothing else has a state: what a step sees follows from seed and step (see `sampling`), and so
does the learning rate.
"""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError  # the error alone; nothing is unpickled
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from inference.errors import TrainingDataError
from inference.training.output import write_whole

#: What a file that is no checkpoint, or one of other tensors, makes torch raise.
_DAMAGES = (
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
)


@dataclass(slots=True)
class Progressed:
    """How far training got; `history` holds one row of metrics per validation."""

    steps: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    path: Path, parts: Mapping[str, Any], progressed: Progressed, made_by: Mapping[str, str]
) -> None:
    """Write the state of all parts (whatever has a `state_dict`); whole or not at all."""
    out = io.BytesIO()
    torch.save(
        {
            "made_by": dict(made_by),
            "progressed": asdict(progressed),
            "parts": {name: part.state_dict() for name, part in parts.items()},
        },
        out,
    )
    write_whole(path, out.getvalue())


def load_checkpoint(path: Path, parts: Mapping[str, Any], made_by: Mapping[str, str]) -> Progressed:
    """Bring all parts to where the checkpoint was; without one they stay as they are.

    Raises:
        TrainingDataError: it is damaged, or was made by another recipe or cohort.
    """
    if not path.is_file():
        return Progressed()
    try:
        # Tensors and plain containers only: nothing in the file can run.
        kept = torch.load(path, map_location="cpu", weights_only=True)
        require_same(path, kept["made_by"], made_by)
        for name, part in parts.items():
            part.load_state_dict(kept["parts"][name])
        return Progressed(**kept["progressed"])
    except _DAMAGES as error:
        raise TrainingDataError(
            f"checkpoint {path} cannot be used ({type(error).__name__}); remove it to start anew"
        ) from error


def require_same(path: Path, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Refuse what another recipe or cohort made.

    Raises:
        TrainingDataError: naming what differs.
    """
    differing = [
        f"{key} is {found.get(key, 'not stated')}, now {wanted.get(key, 'not stated')}"
        for key in sorted(found.keys() | wanted.keys())
        if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise TrainingDataError(
            f"{path} was made by another recipe or cohort: {'; '.join(differing[:3])}; "
            "go on with the same, or choose another run folder"
        )


def save_weights(path: Path, module: nn.Module) -> None:
    """Write a module's weights as safetensors; whole or not at all."""
    state = {name: tensor.cpu().contiguous() for name, tensor in module.state_dict().items()}
    write_whole(path, save(state))


def load_weights(path: Path, module: nn.Module) -> None:
    """Read weights that `save_weights` wrote into a module of the same architecture.

    Raises:
        TrainingDataError: no such file, or it holds another architecture's weights.
    """
    try:
        state: dict[str, Tensor] = load_file(path)
        module.load_state_dict(state)
    except (OSError, SafetensorError) as error:
        raise TrainingDataError(f"weights {path}: cannot be read; train again") from error
    except RuntimeError as error:
        raise TrainingDataError(
            f"weights {path}: they belong to another architecture than this recipe's"
        ) from error
