"""From a published file of weights to an encoder that `train fit --encoder` starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from inference.errors import TrainingDataError
from inference.models.registry import find_multi_view
from inference.training.output import write_whole
from inference.training.weights.film_encoders import FILM_KINDS, film_encoder
from inference.training.weights.grey import fold_grey
from inference.training.weights.kinds import KINDS, REFUSED, Kind
from inference.training.weights.reading import WeightsFile, open_weights
from inference.training.weights.source import KEY, Source

#: Long enough for a name and a sentence; a whole licence belongs beside the file.
LONGEST_LICENCE = 500
#: Counters of BatchNorm that older files lack and that nothing here reads.
_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written, and how many of the file's tensors an encoder has no place for."""

    path: Path
    source: Source
    tensors: int
    left_out: int


def import_weights(file: Path, kind: str, out: Path, *, licence: str) -> Imported:
    """Write a published encoder as ours, as safetensors.

    Encoders of echo frames become encoders of one channel, grey frames in 0..1; those of films
    keep their colours.

    `licence` is what its authors let this hospital do with the file; runs and bundles pass it on.

    Raises:
        TrainingDataError: an unknown kind or one without a place here, no licence, a file that
            cannot be read, or whose names, shapes or values are not that encoder's.
    """
    if kind in REFUSED:
        raise TrainingDataError(f"weights: {REFUSED[kind]}")
    if kind not in KINDS and kind not in FILM_KINDS:
        known = ", ".join((*KINDS, *FILM_KINDS))
        raise TrainingDataError(f"weights: unknown kind {kind!r}; known: {known}")
    licence = " ".join(licence.split())
    if not 0 < len(licence) <= LONGEST_LICENCE:
        raise TrainingDataError(
            "weights: state under which licence you use this file (--licence), in at most "
            f"{LONGEST_LICENCE} characters; a bundle made from it says so"
        )
    if out.suffix != ".safetensors":
        raise TrainingDataError(f"weights: name the output {out.stem}.safetensors")
    if kind in FILM_KINDS:
        return _import_film_encoder(file, kind, out, licence)
    chosen, found = KINDS[kind], open_weights(file)
    expected = _expected(chosen)
    names = _names(file.name, kind, found, expected)
    state = {ours: tensor.float() for ours, tensor in _read(found, names).items()}
    damaged = next((name for name, tensor in state.items() if not tensor.isfinite().all()), None)
    if damaged is not None:
        raise TrainingDataError(f"weights {file.name}: {damaged} holds values that are not finite")
    folded = {name: tensor.contiguous() for name, tensor in fold_grey(state, chosen).items()}
    for name in expected.keys() - folded.keys():
        folded[name] = torch.zeros((), dtype=torch.int64)  # a counter
    source = Source(
        kind=kind,
        about=chosen.about,
        architecture=chosen.architecture,
        licence=licence,
        sha256=found.sha256,
    )
    write_whole(out, save(folded, metadata={KEY: source.model_dump_json()}))
    return Imported(out, source, len(folded), len(found.shapes) - len(names))


def _import_film_encoder(file: Path, kind: str, out: Path, licence: str) -> Imported:
    chosen, found = FILM_KINDS[kind], open_weights(file)
    state, changed = film_encoder(file.name, found, chosen)
    source = Source(
        kind=kind,
        about=f"{chosen.about} ({changed})" if changed else chosen.about,
        architecture=chosen.architecture,
        licence=licence,
        sha256=found.sha256,
    )
    content = {name: tensor.contiguous() for name, tensor in state.items()}
    write_whole(out, save(content, metadata={KEY: source.model_dump_json()}))
    left_out = sum(name.startswith(chosen.dropped) for name in found.shapes)
    return Imported(out, source, len(state), left_out)


def _expected(kind: Kind) -> dict[str, tuple[int, ...]]:
    """Our encoder's names, and their shapes in the file: a stem of three channels."""
    with torch.device("meta"):
        ours = find_multi_view(kind.architecture).encoder().state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in ours.items()}
    out, _, *size = shapes[f"{kind.stem}.weight"]
    return {**shapes, f"{kind.stem}.weight": (out, 3, *size)}


def _names(
    file: str, kind: str, found: WeightsFile, expected: Mapping[str, tuple[int, ...]]
) -> dict[str, str]:
    """Our name -> the file's, of every tensor that is read."""
    chosen = KINDS[kind]
    prefix = _prefix(found.shapes, chosen)
    inside = {name.removeprefix(prefix): name for name in found.shapes if name.startswith(prefix)}
    used = {ours: theirs for ours, theirs in inside.items() if not ours.startswith(chosen.dropped)}
    missing = [name for name in expected if name not in used and not name.endswith(_COUNTER)]
    unknown = [name for name in used if name not in expected]
    if missing or unknown:
        first = f"{missing[0]} is missing" if missing else f"{unknown[0]} has no place"
        raise TrainingDataError(
            f"weights {file}: not {chosen.about}: {len(missing)} of {len(expected)} tensors are "
            f"missing, {len(unknown)} are unknown ({first})"
        )
    for ours, theirs in used.items():
        if tuple(found.shapes[theirs]) != expected[ours]:
            raise TrainingDataError(
                f"weights {file}: not {chosen.about}: {ours} has the shape "
                f"{list(found.shapes[theirs])}, not {list(expected[ours])}"
            )
    return {ours: theirs for ours, theirs in used.items() if not ours.endswith(_COUNTER)}


def _prefix(shapes: Mapping[str, tuple[int, ...]], kind: Kind) -> str:
    """What stands before the encoder's names: of the whole model, of its parts, or nothing."""
    stem = f"{kind.stem}.weight"
    below = ["", kind.prefix, "module.", "module." + kind.prefix]
    # PanEcho's own loader also gives the video encoder or the frame encoder alone.
    parts = kind.prefix.split(".")
    below += [".".join(parts[n:]) for n in range(1, len(parts) - 1)]
    return next((prefix for prefix in below if prefix + stem in shapes), "")


def _read(found: WeightsFile, names: Mapping[str, str]) -> dict[str, Tensor]:
    loaded = found.load(list(names.values()))
    return {ours: loaded[theirs] for ours, theirs in names.items()}
