"""A finished run: its networks, their description, and both as an uncalibrated bundle."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from inference.bundle.loading import Bundle, load_bundle
from inference.bundle.manifest import (
    Cohort,
    Description,
    LoopPreprocessing,
    Network,
)
from inference.bundle.targets import ValueTarget
from inference.bundle.writing import write_bundle
from inference.errors import TrainingDataError
from inference.models.multiview import MultiView
from inference.pipelines.echo_bundle import NAME
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.checkpoint import load_checkpoint, load_weights
from inference.training.epochs import BEST, CHECKPOINT
from inference.training.network import build_network
from inference.training.run import Member, Run
from inference.training.statement import Statement
from inference.types import Standing

_PHANTOM_USE = (
    "Demonstration and testing of the node on synthetic studies. Trained on synthetic echo: not "
    "for patients."
)
_RESEARCH_USE = (
    "Research on the estimation of pulmonary haemodynamics from B-mode echo loops, at the "
    "institution that trained it. Not for clinical decisions."
)
_LIMITS = {
    Standing.PHANTOM: ("Trained on synthetic phantoms; its estimates say nothing about patients.",),
    Standing.RESEARCH: (
        "Trained on one institution's archive; it may do worse on other patients and carts.",
    ),
}


def load_networks(folder: Path, run: Run) -> dict[str, MultiView]:
    """The networks of a finished run with their best weights, by prefix.

    Raises:
        TrainingDataError: a network's training is not finished, or its weights do not fit.
    """
    return {member.prefix: _load(folder / member.prefix, run, member) for member in run.members}


def describe_bundle(run: Run, statement: Statement) -> Description:
    """What the manifest says before anything is calibrated; decisions are at the limits."""
    standing = run.cohort.standing
    phantom = standing is Standing.PHANTOM
    return Description(
        name=statement.name or run.recipe.name,
        version=statement.version,
        standing=standing,
        pipeline=NAME,
        networks=tuple(
            Network(
                prefix=member.prefix,
                architecture=run.recipe.architecture,
                targets=member.targets,
            )
            for member in run.members
        ),
        targets=tuple(
            ValueTarget(
                name=scale.target,
                unit=QUANTITIES[scale.target].unit.value,
                mean=scale.mean,
                sd=scale.sd,
                decision_threshold=scale.limit,
            )
            for scale in run.scales
        ),
        preprocessing=LoopPreprocessing(
            frame_size_px=run.recipe.frame_size_px, selection=run.cohort.selection
        ),
        cohort=Cohort(
            description=run.cohort.description, sha256=run.cohort.sha256, exams=run.cohort.exams
        ),
        population=statement.population,
        intended_use=statement.intended_use or (_PHANTOM_USE if phantom else _RESEARCH_USE),
        limitations=(*_LIMITS[standing], *_start(run), *statement.limitations),
        licence="; ".join((statement.licence, *_start(run))),
        # The run's, so that packing it again gives the same bundle.
        created_at=run.created_at,
    )


def _start(run: Run) -> tuple[str, ...]:
    """What an encoder that was brought from elsewhere asks of those who use the bundle."""
    return () if run.encoder_source is None else (run.encoder_source.sentence,)


def in_memory(run: Run, networks: Mapping[str, MultiView], device: torch.device) -> Bundle:
    """The uncalibrated bundle, by way of a file, just as the node would load it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle"
        write_bundle(path, describe_bundle(run, Statement()), networks)
        return load_bundle(path, device)


def weights_sha256(networks: Mapping[str, nn.Module]) -> str:
    """The identity of trained weights: SHA-256 over names and numbers of every tensor."""
    digest = hashlib.sha256()
    for prefix, network in sorted(networks.items()):
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(f"{prefix}.{name} {tuple(tensor.shape)} {tensor.dtype};".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _load(folder: Path, run: Run, member: Member) -> MultiView:
    done = load_checkpoint(folder / CHECKPOINT, {}, {**run.made_by, "network": member.prefix})
    if not done.finished:
        raise TrainingDataError(
            f"{folder}: training is not finished ({done.steps} steps are done); "
            "finish it with `echonode train fit`"
        )
    network = build_network(run.recipe, len(member.targets), member.seed)
    load_weights(folder / BEST, network)
    return network.eval()
