"""Published encoders of photographs as the film encoder of a network of film and ECG.

Unlike those of echo frames they keep their three colours: the network gives them a film in three
equal ones. Names were read in public code in 2026: timm's, those of Hugging Face's
`facebook/dinov2-large`, and torchvision's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor, nn

from inference.errors import TrainingDataError
from inference.models.film_and_ecg import FILM_AND_ECG, FILM_ENCODERS
from inference.training.weights.reading import WeightsFile

#: Our name of a tensor -> those of a file, whose rows follow each other in ours.
Naming = Callable[[str], Sequence[str]]

POSITIONS = "pos_embed"
_COUNTER = ".num_batches_tracked"
_FRACTIONS = frozenset({"F32", "F16", "BF16"})


@dataclass(frozen=True, slots=True)
class FilmKind:
    """One published encoder: ours is the film encoder of `architecture`.

    `namings` are the ways to call its tensors; `dropped` begin the names that have no place.
    """

    about: str
    architecture: str
    namings: Sequence[Naming]
    dropped: tuple[str, ...]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Our encoder's tensors, without making it."""
        with torch.device("meta"):
            network = FILM_ENCODERS[FILM_AND_ECG[self.architecture].encoder]().encoder
        return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _as_it_is(name: str) -> Sequence[str]:
    return (name,)


def _vgg(name: str) -> Sequence[str]:
    return ("features." + name.removeprefix("0."),)


_HUGGING_FACE = {
    "cls_token": "embeddings.cls_token",
    "pos_embed": "embeddings.position_embeddings",
    "patch_embed.proj": "embeddings.patch_embeddings.projection",
    "norm": "layernorm",
    "attn.proj": "attention.output.dense",
    "ls1.gamma": "layer_scale1.lambda1",
    "ls2.gamma": "layer_scale2.lambda1",
}


def _hugging_face(name: str) -> Sequence[str]:
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)", name)
    if block is None:
        whole, dot, kind = name.rpartition(".")
        known = _HUGGING_FACE.get(name)
        return (known if known else f"{_HUGGING_FACE[whole]}{dot}{kind}",)
    layer, part = f"encoder.layer.{block[1]}.", block[2]
    if part.startswith("attn.qkv."):
        kind = part.removeprefix("attn.qkv.")
        return [f"{layer}attention.attention.{of}.{kind}" for of in ("query", "key", "value")]
    if part in _HUGGING_FACE:
        return (layer + _HUGGING_FACE[part],)
    return (layer + part.replace("attn.proj.", "attention.output.dense."),)


#: By the name that `--as` takes.
FILM_KINDS: Mapping[str, FilmKind] = {
    "vit_large_patch14_dinov2": FilmKind(
        "DINOv2's ViT-L/14",
        architecture="film_and_ecg_vit_l14",
        namings=(_as_it_is, _hugging_face),
        dropped=("mask_token", "embeddings.mask_token", "head.", "classifier."),
    ),
    **{
        f"imagenet-{name}-film": FilmKind(
            f"torchvision's {about} trained on ImageNet",
            architecture=f"film_and_ecg_{name}",
            namings=(naming,),
            dropped=("fc.", "classifier."),
        )
        for name, about, naming in (
            ("resnet18", "ResNet18", _as_it_is),
            ("resnet34", "ResNet34", _as_it_is),
            ("vgg16", "VGG16", _vgg),
        )
    },
}

_CONVERSION = """
    import torch; from safetensors.torch import save_file
    save_file(torch.load("{0}.pth", weights_only=True), "{0}.safetensors")"""


def film_encoder(file: str, found: WeightsFile, kind: FilmKind) -> tuple[dict[str, Tensor], str]:
    """The tensors of our encoder, float32, and how its positions were changed ("" if not).

    Names, shapes and dtypes are compared before anything is read.

    Raises:
        TrainingDataError: the file is no safetensors file, or not this encoder.
    """
    if not found.dtypes:
        raise TrainingDataError(
            f"weights {file}: film encoders are read from safetensors alone, which holds nothing "
            "that could run. Convert it where you trust it:" + _CONVERSION.format("encoder")
        )
    wanted = kind.shapes()
    names = _names(file, found, kind, wanted)
    state = {}
    for ours, theirs in names.items():
        loaded = found.load(list(theirs))
        state[ours] = torch.cat([loaded[name].float() for name in theirs])
        if not state[ours].isfinite().all():
            raise TrainingDataError(f"weights {file}: {theirs[0]} holds values that are not finite")
    for name in wanted.keys() - names.keys():
        state[name] = torch.zeros((), dtype=torch.int64)  # a counter
    if POSITIONS not in state or tuple(state[POSITIONS].shape) == wanted[POSITIONS]:
        return state, ""
    state[POSITIONS], how = _resampled(state[POSITIONS], wanted[POSITIONS][1])
    return state, how


def _names(
    file: str, found: WeightsFile, kind: FilmKind, wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, Sequence[str]]:
    """Our name -> the file's, of every tensor that is read."""
    needed = [name for name in wanted if not name.endswith(_COUNTER)]
    ways = [{ours: naming(ours) for ours in needed} for naming in kind.namings]
    names = max(ways, key=lambda way: sum(each[0] in found.shapes for each in way.values()))
    read = [name for each in names.values() for name in each]
    missing = [name for name in read if name not in found.shapes]
    known = {*read, *(naming(name)[0] for naming in kind.namings for name in wanted)}
    unknown = [
        name for name in found.shapes if name not in known and not name.startswith(kind.dropped)
    ]
    if missing or unknown:
        first = f"{missing[0]} is missing" if missing else f"{unknown[0]} has no place"
        raise TrainingDataError(
            f"weights {file}: not {kind.about}: {len(missing)} of {len(read)} tensors are missing, "
            f"{len(unknown)} are unknown ({first})"
        )
    for ours, theirs in names.items():
        _require_shape(file, kind, [found.shapes[name] for name in theirs], ours, wanted[ours])
        if bad := [name for name in theirs if found.dtypes[name] not in _FRACTIONS]:
            raise TrainingDataError(
                f"weights {file}: {bad[0]} is {found.dtypes[bad[0]]}; known: F32, F16, BF16"
            )
    return names


def _require_shape(
    file: str,
    kind: FilmKind,
    shapes: Sequence[tuple[int, ...]],
    ours: str,
    wanted: tuple[int, ...],
) -> None:
    together = (sum(shape[0] for shape in shapes), *shapes[0][1:])
    alike = all(shape[1:] == shapes[0][1:] for shape in shapes)
    if ours == POSITIONS and len(together) == 3:
        # Of another size, if it is a square beside the class token.
        grid = together[1] - 1
        alike = together[0] == 1 and grid > 0 and isqrt(grid) ** 2 == grid
        together = (1, wanted[1], together[2])
    if not alike or together != wanted:
        raise TrainingDataError(
            f"weights {file}: not {kind.about}: {ours} has the shape "
            f"{[list(shape) for shape in shapes]}, not {list(wanted)}"
        )


def _resampled(positions: Tensor, tokens: int) -> tuple[Tensor, str]:
    """Positions of another size: bicubic with antialiasing, as timm does it, and in words."""
    old, new = isqrt(positions.shape[1] - 1), isqrt(tokens - 1)
    grid = positions[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(grid, (new, new), mode="bicubic", antialias=True)
    resampled = torch.cat([positions[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
    return resampled, f"positions resampled from {old} x {old} to {new} x {new}, bicubic"
