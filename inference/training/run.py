"""A run: the folder of one training, and run.json, which says how it was made.

run.json                 recipe, seeds, versions, cohort, scales
pretraining/             where the recipe pre-trains
mpap_pvr_pawp/ ...       one folder per network
predictions.csv, loops.csv
"""

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import AwareDatetime, Field

from inference.bundle.strict import Strict
from inference.errors import TrainingDataError
from inference.regular_files import require_regular
from inference.training.cohort.index import open_index
from inference.training.cohort.reading import Cohort
from inference.training.loss import weight_above
from inference.training.recipe import Recipe
from inference.training.run_folder import AnyRun, flat, read
from inference.training.sampling import balanced, per_process
from inference.training.scales import Scale
from inference.training.weights.source import Source, source_of
from inference.types import Standing
from inference.ultrasound.profile import Profile

#: Far above what is written of any run.
_LARGEST_BYTES = 100_000_000

PRETRAINING = "pretraining"
_LIBRARIES = ("echonode", "torch", "torchvision", "numpy", "pydicom")


class Member(Strict):
    """One network of the run; `prefix` is its folder here and its name in the bundle."""

    prefix: str
    targets: tuple[str, ...]
    seed: int


class CohortFacts(Strict):
    """What a bundle says about the cohort; counts by split."""

    sha256: str
    exams: Mapping[str, int]
    patients: int
    loops: int
    phantom_exams: int
    selection: Annotated[Profile, Field(strict=False)] = Profile.PAPER
    nouns: str = "loops"

    @property
    def standing(self) -> Standing:
        """PHANTOM as soon as one exam is synthetic."""
        return Standing.PHANTOM if self.phantom_exams else Standing.RESEARCH

    @property
    def description(self) -> str:
        """One sentence."""
        total = sum(self.exams.values())
        found = f"{total} exams of {self.patients} patients with {self.loops} {self.nouns}"
        if not self.phantom_exams:
            return f"{found}, each with a right heart catheterisation"
        return f"{found}; {self.phantom_exams} of the exams are SYNTHETIC phantoms"


class Run(AnyRun):
    """The content of run.json."""

    recipe: Recipe
    cohort: CohortFacts
    members: tuple[Member, ...]
    scales: tuple[Scale, ...]
    created_at: Annotated[AwareDatetime, Field(strict=False)]
    device: str
    processes: int
    threads: int
    micro_batch_exams: int
    versions: Mapping[str, str]
    encoder_sha256: str | None = None
    """Of the pre-trained encoder where it came from elsewhere."""
    encoder_source: Source | None = None
    """Whose encoder that was, where `echonode weights import` brought it."""

    @property
    def stopped_on(self) -> Literal["validation", "inner", "nothing"]:
        """The exams that said which weights are best: the validation split's, an inner split's of
        the training split, or none."""
        return self.recipe.stopping.on

    def scale(self, target: str) -> Scale:
        """The scale of a target."""
        return next(scale for scale in self.scales if scale.target == target)

    @property
    def made_by(self) -> dict[str, str]:
        """What decides the result; a run goes on only where all of it is the same."""
        unread = {"name": True, "about": True, "pipeline": True}
        recipe = self.recipe.model_dump(mode="json", exclude=unread)
        del recipe["device"]["name"]
        return {
            **flat("recipe", recipe),
            "cohort": self.cohort.sha256,
            "processes": str(self.processes),
            "encoder": str(self.encoder_sha256),
        }


def describe_run(
    recipe: Recipe,
    cohort: Cohort,
    folder: Path,
    *,
    device: torch.device,
    processes: int,
    encoder: Path | None,
) -> Run:
    """Say how a run is made, now; `folder` is the cohort's.

    Raises:
        TrainingDataError: the training or validation split is empty or teaches nothing, it has one
            class where the recipe balances two, or the encoder's file cannot be read.
    """
    training = cohort.part("train")
    cohort.part("validation")
    scales = tuple(Scale.of(name, training, recipe.loss.tau(name)) for name in recipe.targets)
    if recipe.loss.balanced:
        for scale in scales:
            weight_above(scale)
    if recipe.sampling.balanced:
        balanced(training)
    share = per_process(recipe.sampling, processes)
    return Run(
        recipe=recipe,
        cohort=cohort_facts(cohort, folder),
        members=_members(recipe),
        scales=scales,
        created_at=datetime.now(UTC).replace(microsecond=0),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        processes=processes,
        threads=torch.get_num_threads(),
        micro_batch_exams=min(share, recipe.sampling.micro_batch_exams or share),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _LIBRARIES},
        encoder_sha256=None if encoder is None else encoder_sha256(encoder),
        encoder_source=None if encoder is None else _source(encoder, recipe.architecture),
    )


def read_run(folder: Path) -> Run:
    """Read how a run was made.

    Raises:
        TrainingDataError: as `run_folder.read`.
    """
    return read(folder, Run)


def _members(recipe: Recipe) -> tuple[Member, ...]:
    members = []
    for number in range(recipe.members):
        for targets in recipe.networks:
            prefix = "_".join(name.lower() for name in targets)
            prefix += f"_{number + 1}" if recipe.members > 1 else ""
            members.append(Member(prefix=prefix, targets=targets, seed=recipe.seed + number))
    return tuple(members)


def cohort_facts(cohort: Cohort, folder: Path, nouns: str = "loops") -> CohortFacts:
    """What a bundle says about the cohort in a folder; `nouns` are what its exams hold."""
    with open_index(folder) as index:
        (phantoms,) = index.execute(
            "SELECT count(DISTINCT exam_id) FROM exam JOIN loop USING (exam_id)"
            " JOIN instance USING (path)"
            " WHERE exam.patient_id LIKE 'PHANTOM-%' OR manufacturer LIKE '%SYNTHETIC%'"
        ).fetchone()
    splits = [exam.split for exam in cohort.exams]
    return CohortFacts(
        sha256=cohort.sha256,
        selection=cohort.selection,
        exams={name: splits.count(name) for name in sorted(set(splits))},
        patients=len({exam.patient_number for exam in cohort.exams}),
        loops=sum(len(exam.loops) for exam in cohort.exams),
        nouns=nouns,
        phantom_exams=phantoms,
    )


def _source(encoder: Path, architecture: str) -> Source | None:
    found = source_of(encoder)
    if found is not None and found.architecture != architecture:
        raise TrainingDataError(
            f"encoder {encoder}: {found.about} is a {found.architecture}; the recipe's "
            f"architecture is {architecture}"
        )
    return found


def encoder_sha256(path: Path) -> str:
    """The SHA-256 of an encoder's file, in hexadecimal.

    Raises:
        TrainingDataError: it cannot be read.
    """
    try:
        require_regular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingDataError(f"encoder {path}: cannot be read ({error.strerror})") from None
