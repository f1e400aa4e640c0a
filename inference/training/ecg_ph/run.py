"""What a run folder says of itself: the recipe, the cohort, and when and with what it was made.

run.json          this
pretraining/      the autoencoder (see `inference.training.epochs`)
NAME/             heads, or a whole network without a latent: `Taught` says which there are
predictions.csv   their logits
"""

import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
from pydantic import AwareDatetime, Field

from inference.errors import TrainingDataError
from inference.models.lead_vae import EcgClassifier, LatentBody
from inference.training.checkpoint import load_checkpoint, load_weights
from inference.training.cohort.reading import Cohort
from inference.training.ecg_ph.finetuning import taught_part
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.vae import Vae
from inference.training.epochs import BEST, CHECKPOINT
from inference.training.run import CohortFacts, cohort_facts
from inference.training.run_folder import AnyRun, flat, read

PRETRAINING = "pretraining"
#: What is taught: the model itself; heads on an encoder that was never trained; heads on another
#: patient's labels; and the parts of the cross-validation, by number.
MODEL, RANDOM, SHUFFLED, FOLD = "model", "random", "shuffled", "fold-"
_LARGEST_BYTES = 1_000_000
_LIBRARIES = ("echonode", "torch", "numpy", "scipy", "pydicom")


class Run(AnyRun):
    """The content of run.json; `records` is how many WFDB records pre-training saw besides."""

    recipe: Recipe
    cohort: CohortFacts
    records: int
    created_at: Annotated[AwareDatetime, Field(strict=False)]
    processes: int
    threads: int
    versions: Mapping[str, str]

    @property
    def made_by(self) -> dict[str, str]:
        """What decides the result; a run goes on only where all of it is the same."""
        unread = {"name": True, "about": True, "pipeline": True, "device": True}
        return {
            **flat("recipe", self.recipe.model_dump(mode="json", exclude=unread)),
            "cohort": self.cohort.sha256,
            "records": str(self.records),
            "processes": str(self.processes),
        }

    def taught(self) -> Iterator[str]:
        """The names of what is taught in this run."""
        yield MODEL
        if is_latent(self.recipe):
            yield RANDOM
        if self.recipe.shuffled:
            yield SHUFFLED
        for number in range(self.recipe.folds):
            yield f"{FOLD}{number + 1}"


def is_latent(recipe: Recipe) -> bool:
    """Whether the recipe's network has a latent, and so is pre-trained."""
    with torch.device("meta"):
        return isinstance(recipe.network.body(), LatentBody)


def describe_run(recipe: Recipe, cohort: Cohort, folder: Path, records: int, processes: int) -> Run:
    """Say how a run is made, now; `folder` is the cohort's."""
    return Run(
        recipe=recipe,
        cohort=cohort_facts(cohort, folder, "ECGs"),
        records=records,
        created_at=datetime.now(UTC).replace(microsecond=0),
        processes=processes,
        threads=torch.get_num_threads(),
        versions={"python": platform.python_version()}
        | {name: version(name) for name in _LIBRARIES},
    )


def read_run(folder: Path) -> Run:
    """Read how a run was made.

    Raises:
        TrainingDataError: as `run_folder.read`.
    """
    return read(folder, Run)


def fresh_network(recipe: Recipe, scale: torch.Tensor | None = None) -> EcgClassifier:
    """A network with weights drawn from the recipe's seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = recipe.network.build(len(recipe.targets))
    if scale is not None:
        network.scale.copy_(scale)
    return network


def load_network(folder: Path, run: Run, name: str, scale: torch.Tensor) -> EcgClassifier:
    """A network of a finished run, ready to judge; `scale` is that of the training ECGs.

    Raises:
        TrainingDataError: its training is not finished, or its weights do not fit.
    """
    done = load_checkpoint(folder / name / CHECKPOINT, {}, {**run.made_by, "taught": name})
    if not done.finished:
        raise TrainingDataError(
            f"{folder / name}: training is not finished; finish it with `echonode train fit`"
        )
    network = fresh_network(run.recipe, scale)
    if name != RANDOM:
        load_body(folder, network)
    load_weights(folder / name / BEST, taught_part(network))
    return network.eval()


def load_body(folder: Path, network: EcgClassifier) -> None:
    """Bring the body of a network, where it has a latent, to where pre-training left it best."""
    if isinstance(network.body, LatentBody):
        load_weights(folder / PRETRAINING / BEST, Vae(network.body))
