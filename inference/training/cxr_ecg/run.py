"""A run: the folder of one training, and run.json, which says how it was made.

run.json               recipe, cohort, scale, versions
view.safetensors       the network that tells views apart
fusion/ film/ ...      one folder per network
predictions/           what each network makes of the validation and the test split
"""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
from pydantic import AwareDatetime, Field

from inference.errors import TrainingDataError
from inference.models.film_and_ecg import FilmAndEcg
from inference.training.checkpoint import load_checkpoint, load_weights
from inference.training.cohort.characteristics import PH_LIMIT_MMHG
from inference.training.cohort.reading import Cohort
from inference.training.cxr_ecg.recipe import Member, Recipe
from inference.training.cxr_ecg.records import Records
from inference.training.epochs import BEST, CHECKPOINT
from inference.training.run import CohortFacts, cohort_facts, encoder_sha256
from inference.training.run_folder import AnyRun, flat, read
from inference.training.weights.source import Source, source_of

VIEW = "view.safetensors"
#: Far above what is written of any run.
_LARGEST_BYTES = 100_000_000
_LIBRARIES = ("echonode", "torch", "torchvision", "numpy", "pydicom")


class Run(AnyRun):
    """The content of run.json; `mean_mmhg` and `sd_mmhg` z-score the pressure.

    `without_ph` counts the training records whose pressure is no pulmonary hypertension.
    """

    recipe: Recipe
    cohort: CohortFacts
    records: int
    without_ph: int
    mean_mmhg: float
    sd_mmhg: float
    created_at: Annotated[AwareDatetime, Field(strict=False)]
    device: str
    processes: int
    versions: Mapping[str, str]
    encoder_sha256: str | None = None
    encoder_source: Source | None = None

    @property
    def made_by(self) -> dict[str, str]:
        """What decides the result; a run goes on only where all of it is the same."""
        recipe = self.recipe.model_dump(mode="json", exclude={"name", "about", "device"})
        return {
            **flat("recipe", recipe),
            "cohort": self.cohort.sha256,
            "processes": str(self.processes),
            "encoder": str(self.encoder_sha256),
        }

    def made_network(self, member: Member) -> dict[str, str]:
        """The same of one of its networks."""
        return {**self.made_by, "network": member.prefix}


def describe_run(
    recipe: Recipe,
    cohort: Cohort,
    folder: Path,
    training: Records,
    *,
    device: torch.device,
    processes: int,
    encoder: Path | None,
) -> Run:
    """Say how a run is made, now; `folder` is the cohort's.

    Raises:
        TrainingDataError: pressures that teach nothing, or an encoder that cannot be used.
    """
    if len(set(training.mpap_mmhg)) < 2:
        raise TrainingDataError("cohort: the training split has fewer than two different pressures")
    return Run(
        recipe=recipe,
        cohort=cohort_facts(cohort, folder, nouns="films and ECGs"),
        records=len(training),
        without_ph=int((training.mpap_mmhg <= PH_LIMIT_MMHG).sum()),
        mean_mmhg=float(training.mpap_mmhg.mean()),
        sd_mmhg=float(training.mpap_mmhg.std()),
        created_at=datetime.now(UTC).replace(microsecond=0),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        processes=processes,
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _LIBRARIES},
        encoder_sha256=None if encoder is None else encoder_sha256(encoder),
        encoder_source=None if encoder is None else _source(encoder, recipe),
    )


def read_run(folder: Path) -> Run:
    """Read how a run was made.

    Raises:
        TrainingDataError: as `run_folder.read`.
    """
    return read(folder, Run)


def build_network(recipe: Recipe, member: Member) -> FilmAndEcg:
    """A network with weights drawn from the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return recipe.built.of_parts(1, film=member.sees_film, ecg=member.sees_ecg)


def load_network(folder: Path, run: Run, member: Member) -> FilmAndEcg:
    """A network of a finished run, in evaluation mode.

    Raises:
        TrainingDataError: its training is not finished, or the weights do not fit.
    """
    where = folder / member.prefix
    done = load_checkpoint(where / CHECKPOINT, {}, run.made_network(member))
    if not done.finished:
        raise TrainingDataError(
            f"{where}: training is not finished ({done.steps} steps are done); finish it with "
            "`echonode train fit`"
        )
    network = build_network(run.recipe, member)
    load_weights(where / BEST, network)
    return network.eval()


def _source(encoder: Path, recipe: Recipe) -> Source:
    found = source_of(encoder)
    if found is None or found.architecture != recipe.architecture:
        what = "an encoder that was pre-trained here" if found is None else found.about
        raise TrainingDataError(
            f"encoder {encoder}: {what} does not begin a {recipe.architecture}; bring it with "
            "`echonode weights import`"
        )
    return found
