"""How the models of other pipelines than echo are made, by the same commands.

Each package `inference.training.<pipeline>` holds the steps; they are imported when they are taken.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from inference.bundle.manifest import Manifest
from inference.errors import TrainingDataError
from inference.training.any_recipe import AnyRecipe
from inference.training.cohort.reading import Cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.statement import Statement
from inference.training.trainable import ECG, FILM_AND_ECG

#: Whose models are made by the steps below.
MAKERS = (ECG, FILM_AND_ECG)


class Acceptance(Protocol):
    """What became of a model that was made of a phantom."""

    @property
    def met(self) -> bool:
        """Whether every figure that is judged is in its range."""

    def lines(self) -> list[str]:
        """The figures, each with its limit, and where bundle and report lie."""


def cache(
    cohort: Cohort,
    folder: Path,
    *,
    archive: Path | None = None,
    jobs: int = 1,
    on_progress: Progress = silent,
    **of_ecgs: Any,
) -> int:
    """Prepare the inputs of a cohort; gives back how many cannot be used. It goes on if killed.

    `of_ecgs` is `mains_hz`, for a cohort of ECGs.

    Raises:
        TrainingDataError: the archive cannot be read, or the cache not be written.
    """
    made = _step(cohort.pipeline, "cache")(
        cohort, folder, archive=archive, jobs=jobs, on_progress=on_progress, **of_ecgs
    )
    return cast("int", made)


def cache_records(records: Path, folder: Path, **how: Any) -> int:
    """Add WFDB records without labels to what pre-training sees of ECGs; as `cache`.

    Raises:
        TrainingDataError: there are none, or the cache cannot be written.
    """
    return cast("int", _step(ECG, "cache", "cache_records")(records, folder, **how))


def fit(
    recipe: AnyRecipe,
    cohort: Path,
    cache: Path,
    run: Path,
    *,
    encoder: Path | None = None,
    on_progress: Progress = silent,
) -> None:
    """Train what a recipe says into the folder `run`. It goes on if killed.

    `encoder` is a file that `echonode weights import` wrote, for recipes that begin with one.

    Raises:
        TrainingDataError: the cohort is another pipeline's, too small or not cached, or the folder
            holds another run.
    """
    begins = {} if encoder is None else {"encoder": encoder}
    _step(recipe.pipeline, "fit")(recipe, cohort, cache, run, **begins, on_progress=on_progress)


def report(
    pipeline: str,
    run: Path,
    cohort: Path,
    cache: Path,
    out: Path,
    *,
    on_progress: Progress = silent,
) -> Path:
    """Judge a run on its cohort's test split and write the report; gives back the HTML's path.

    Raises:
        TrainingDataError: the run is not finished, or of another cohort.
    """
    made = _step(pipeline, "judge", "report")(run, cohort, cache, out, on_progress=on_progress)
    return cast("Path", made)


def pack(
    pipeline: str,
    run: Path,
    cohort: Path,
    cache: Path,
    out: Path,
    *,
    statement: Statement | None = None,
) -> Manifest:
    """Write a run that was judged as a new bundle.

    Raises:
        TrainingDataError: the run is not finished or judged, or nothing in it is better than
            chance.
        BundleError: `out` exists.
    """
    made = _step(pipeline, "packing", "pack")(run, cohort, cache, out, statement=statement)
    return cast("Manifest", made)


def acceptance(
    pipeline: str,
    folder: Path,
    *,
    preset: str = "easy",
    seed: int = 1,
    on_progress: Progress = silent,
) -> Acceptance:
    """Make a phantom, its cohort, a model, its report and its bundle in a folder, and judge them.

    Raises:
        TrainingDataError: as the steps.
    """
    made = _step(pipeline, "acceptance")(folder, preset=preset, seed=seed, on_progress=on_progress)
    return cast("Acceptance", made)


def _step(pipeline: str, module: str, name: str = "") -> Any:
    if pipeline not in MAKERS:
        raise TrainingDataError(f"no model is made of the pipeline {pipeline!r} this way")
    return getattr(import_module(f"inference.training.{pipeline}.{module}"), name or module)
