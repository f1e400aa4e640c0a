"""From nothing to a judged bundle on phantom patients: what the recipe promises, in one call.

The figures say nothing about patients.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from inference.phantom.patients import make
from inference.training.acceptance import oracle
from inference.training.cohort.building import build
from inference.training.cohort.reading import read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.criteria import Criterion, Reached, criterion, timed
from inference.training.cxr_ecg.cache import cache
from inference.training.cxr_ecg.estimated import (
    OTHER,
    estimate,
    estimated_test_exams,
    read_estimates,
)
from inference.training.cxr_ecg.figures import of_column
from inference.training.cxr_ecg.fit import fit
from inference.training.cxr_ecg.judge import judge, report
from inference.training.cxr_ecg.packing import pack
from inference.training.cxr_ecg.recipe import Member, Recipe
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import Statistic
from inference.training.output import write_whole
from inference.training.recipe_files import named_recipe
from inference.training.statement import Statement

#: As many patients as leave about 360 records to learn from, and 100 and 150 for the rest.
PATIENTS = 720
SPLIT = (0.60, 0.15, 0.25)
#: The phantom's films are seen small, so that they need not be drawn large.
_ROWS = 128
#: A film of the phantom is of the catheter's state however far the catheter is away.
_WINDOW_DAYS = 92
BUNDLE, REPORT, FIGURES = "bundle", "report", "acceptance.json"


@dataclass(frozen=True, slots=True)
class Acceptance(Reached):
    """What was reached, and the folder of all that was made."""

    folder: Path

    def lines(self) -> list[str]:
        """The figures, each with its range, and where bundle and report lie."""
        taken = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
        return [
            *map(str, self.criteria),
            f"seed {self.seed}; {dict(self.exams)} exams; {taken}",
            f"bundle {self.folder / BUNDLE}, digest {self.digest[:16]}",
            f"report {self.folder / REPORT}",
        ]


def acceptance(
    folder: Path, *, preset: str = "easy", seed: int = 1, on_progress: Progress = silent
) -> Acceptance:
    """Make phantom patients, their cohort, a model, its report and its bundle in `folder`.

    Interrupted and called again, it goes on; stages that were done take no time then.

    Raises:
        TrainingDataError: as the steps.
        FileExistsError: the folder holds a phantom of other arguments.
    """
    phantom, cohort, kept, run, crops = (
        folder / name for name in ("phantom", "cohort", "cache", "run", "crops")
    )
    recipe = named_recipe("film-phantom", Recipe).model_copy(update={"seed": seed})
    clock: dict[str, float] = {}
    with timed(clock, "phantom"):
        make(
            phantom,
            patients=PATIENTS,
            preset=preset,
            seed=seed,
            rows=_ROWS,
            decoys=False,
            on_progress=partial(on_progress, "phantom"),
        )
    with timed(clock, "cohort and cache"):
        build(
            phantom,
            phantom / "labels.csv",
            cohort,
            pipeline=recipe.pipeline,
            window_days=_WINDOW_DAYS,
            seed=seed,
            split=SPLIT,
            on_progress=on_progress,
        )
        found = read_cohort(cohort)
        cache(found, kept, on_progress=on_progress)
    with timed(clock, "training"):
        fit(recipe, cohort, kept, run, on_progress=on_progress)
    with timed(clock, "evaluation"):
        report(run, cohort, kept, folder / REPORT, on_progress=on_progress)
        judged = judge(run, cohort)
    with timed(clock, "packing"):
        shutil.rmtree(folder / BUNDLE, ignore_errors=True)
        statement = Statement(name="phantom-film-and-ecg", licence="CC0-1.0")
        manifest = pack(run, cohort, kept, folder / BUNDLE, statement=statement)
    with timed(clock, "crops alone"):
        fit(_of_crops(recipe), cohort, kept, crops, on_progress=on_progress)
        of_crops = estimate(crops, cohort, kept, on_progress=on_progress)
    result = Acceptance(
        seed=seed,
        exams=judged.exams,
        criteria=tuple(_criteria(judged, read_estimates(run), of_crops)),
        oracle={
            name: value
            for name, value in oracle(found, phantom / "truth.csv").items()
            if name.startswith("mPAP")
        },
        seconds=clock,
        digest=manifest.digest,
        folder=folder,
    )
    write_whole(folder / FIGURES, json.dumps(result.as_json(), indent=2) + "\n")
    return result


def _of_crops(recipe: Recipe) -> Recipe:
    """The same of the film alone, as the paper cuts it: patches of 56 out of 128."""
    return recipe.model_copy(update={"film": "grid", "film_px": _ROWS, "networks": (Member.FILM,)})


def _criteria(
    judged: Evaluation, table: pd.DataFrame, of_crops: pd.DataFrame
) -> Iterator[Criterion]:
    """What the easy preset must reach, and what must fail."""

    def of(rows: pd.DataFrame, column: str) -> dict[str, Statistic]:
        test = estimated_test_exams(rows)
        return of_column(test, column, draws=judged.draws, seed=judged.seed)

    fused, film, ecg = (of(table, str(name)) for name in (Member.FUSED, Member.FILM, Member.ECG))
    crops = of(of_crops, str(Member.FILM))
    yield criterion("PCC", fused["pcc"].figure(), low=0.74)
    yield criterion("MAE, mmHg", fused["mae"].figure(), high=9.0)
    yield criterion("slope", fused["slope"].figure(), low=0.6)
    gained = fused["determination"] - ecg["determination"]
    yield criterion("R2 gained over the ECG alone", gained.figure(), low=0.02)
    yield criterion("R2 of the whole film alone", film["determination"].figure(), low=0.45)
    yield criterion("R2 of crops of the film alone", crops["determination"].figure(), high=0.25)
    for name, key, low, high in (
        ("90 % interval covers", "coverage", 0.82, 0.96),
        ("calibration slope", "calibration_slope", 0.7, 1.4),
    ):
        found = judged.targets["mPAP"].reported[key]
        yield criterion(name, found, low=low, high=high)
    other, shuffled = of(table, OTHER), of(table, str(Member.SHUFFLED))
    yield criterion("R2 with another patient's ECG", other["determination"].figure(), high=0.0)
    yield criterion("PCC of shuffled labels", shuffled["pcc"].figure(), low=-0.2, high=0.2)
