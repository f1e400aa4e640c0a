"""From nothing to a judged ECG model on the phantom: what the recipe promises, in one call.

The figures say nothing about patients.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from inference.ecg.leads import LIMB
from inference.models.lead_vae import EcgClassifier
from inference.phantom.ecg import make
from inference.training.cohort import build, read_cohort
from inference.training.cohort.reading import Cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.criteria import Criterion, Reached, criterion, timed
from inference.training.ecg_ph.cache import cache
from inference.training.ecg_ph.fit import fit
from inference.training.ecg_ph.judge import judged_run, report
from inference.training.ecg_ph.judging import Judged
from inference.training.ecg_ph.packing import pack
from inference.training.ecg_ph.predicting import load_model
from inference.training.ecg_ph.recipe import Recipe
from inference.training.ecg_ph.run import SHUFFLED
from inference.training.ecg_ph.signals import Exams
from inference.training.evaluation.metrics import Figure, auc, resample
from inference.training.output import write_whole
from inference.training.recipe_files import named_recipe
from inference.training.statement import Statement
from inference.training.trainable import ECG

#: As many ECGs as leave about 740, 160 and 300 with a catheter in time and leads at one time.
ECGS = 1400
_SPLIT = (0.62, 0.13, 0.25)
BUNDLE, REPORT, FIGURES = "bundle", "report", "acceptance.json"
#: Least AUROC of each output.
_EASY = {"PH.12-leads": 0.90, "PH.6-leads": 0.87, "postcapillary.12-leads": 0.88}
_OTHER = {"PH.12-leads": 0.82}


@dataclass(frozen=True, slots=True)
class Acceptance(Reached):
    """What was reached of a preset, and where bundle and report lie; `oracle` are AUROCs."""

    preset: str
    bundle: Path
    report: Path

    def lines(self) -> list[str]:
        """The figures, each with its limits, and where bundle and report lie."""
        exams = ", ".join(f"{count} {split}" for split, count in self.exams.items())
        stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.seconds.items())
        return [
            f"{self.preset}, seed {self.seed}; exams: {exams}",
            *map(str, self.criteria),
            *(f"oracle {name:46} {value:.3f}" for name, value in self.oracle.items()),
            stages,
            f"bundle: {self.bundle}",
            f"report: {self.report}",
        ]


def acceptance(
    folder: Path,
    *,
    preset: str = "easy",
    seed: int = 1,
    on_progress: Progress = silent,
    recipe: Recipe | None = None,
    ecgs: int = ECGS,
    jobs: int = 2,
) -> Acceptance:
    """Make the phantom, its cohort, a model, its report and its bundle in `folder`, and judge them.

    Interrupted and called again, it goes on; stages that were done take no time then.

    Raises:
        TrainingDataError: too few exams to split, calibrate and judge.
        FileExistsError: the folder holds a phantom of other arguments.
    """
    chosen = recipe or named_recipe("ecg-phantom", Recipe)
    phantom, built, cached, run = (folder / each for each in ("phantom", "cohort", "cache", "run"))
    clock: dict[str, float] = {}
    with timed(clock, "phantom"):
        told = partial(on_progress, "phantom")
        make(
            phantom, ecgs=ecgs, preset=preset, seed=seed, jobs=jobs, decoys=False, on_progress=told
        )
    with timed(clock, "cohort and cache"):
        labels = phantom / "labels.csv"
        how = {"pipeline": ECG, "seed": seed, "split": _SPLIT}
        build(phantom, labels, built, jobs=jobs, on_progress=on_progress, **how)  # type: ignore[arg-type]
        found = read_cohort(built)
        cache(found, cached, jobs=jobs, on_progress=on_progress)
    with timed(clock, "training"):
        fit(chosen, built, cached, run, on_progress=on_progress)
    with timed(clock, "evaluation"):
        written = report(run, built, cached, folder / REPORT, on_progress=on_progress)
        judged = judged_run(run, built, cached)
    with timed(clock, "packing"):
        shutil.rmtree(folder / BUNDLE, ignore_errors=True)
        statement = Statement(name="ecg-phantom", licence="CC0-1.0")
        manifest = pack(run, built, cached, folder / BUNDLE, statement=statement)
    reversed_auroc = chest_reversed(load_model(run, found, cached), found, cached, chosen)
    result = Acceptance(
        preset=preset,
        seed=seed,
        exams=judged.exams,
        criteria=tuple(criteria(judged, reversed_auroc, preset)),
        oracle=oracle(judged, found, phantom / "truth.csv"),
        seconds={name: round(seconds, 1) for name, seconds in clock.items()},
        digest=manifest.digest,
        bundle=folder / BUNDLE,
        report=written,
    )
    document = {**asdict(result), "bundle": BUNDLE, "report": REPORT, "met": result.met}
    write_whole(folder / FIGURES, json.dumps(document, indent=2) + "\n")
    return result


def criteria(judged: Judged, reversed_auroc: Figure, preset: str) -> Iterator[Criterion]:
    """What a preset must reach, and what must fail."""
    for name, low in (_EASY if preset == "easy" else _OTHER).items():
        yield criterion(f"{name} AUROC", judged.outputs[name].figures["auroc"], low=low)
    if preset == "realistic":
        gained = judged.outputs["PH.12-leads"].gained
        assert gained is not None  # noqa: S101 - the recipe pre-trains
        yield criterion("PH.12-leads AUROC gained over a random encoder", gained, low=0.02)
    if judged.reconstruction is not None:
        yield Criterion("reconstruction, share of variance", judged.reconstruction, high=0.2)
    for name, output in judged.outputs.items():
        slope = output.reliability.figures["slope"]
        yield criterion(f"{name} calibration slope", slope, low=0.7, high=1.4)
        if SHUFFLED in output.controls:
            few = len(output.exams) < 225
            low, high = (0.30, 0.70) if few else (0.42, 0.58)
            found = output.controls[SHUFFLED]
            yield criterion(f"{name} AUROC, labels shuffled", found, low=low, high=high)
    title = "postcapillary.12-leads AUROC, V1 to V6 reversed"
    yield criterion(title, reversed_auroc, high=0.5)


def chest_reversed(network: EcgClassifier, cohort: Cohort, cached: Path, recipe: Recipe) -> Figure:
    """The AUROC of post-capillary PH on the test split where V6 stands for V1, and so on."""
    exams = Exams.of(cohort, cached, recipe, "test")
    column = recipe.targets.index("postcapillary.12-leads")
    rows = np.flatnonzero(~np.isnan(exams.labels[:, column]))
    leads, usable, rhythm = exams.signals.batch(rows)
    order = [*range(LIMB), *reversed(range(LIMB, leads.shape[1]))]
    with torch.inference_mode():
        logits = network(leads[:, order], usable[:, order], rhythm)[:, column]
    present = exams.labels[rows, column] == 1
    sample = resample(pd.Series(exams.patients[rows]), draws=2000, seed=0)
    return auc(present, logits.double().numpy(), sample).figure()


def oracle(judged: Judged, cohort: Cohort, truth: Path) -> dict[str, float]:
    """The AUROC of the phantom's true pressures (truth.csv) on the test split."""
    true = pd.read_csv(truth, dtype={"sop_instance_uid": str}).set_index("sop_instance_uid")
    shown = {exam.exam_id: exam.loops[0].sop_instance_uid for exam in cohort.exams}
    found = {}
    for name, output in judged.outputs.items():
        column = "mpap_mmhg" if name.startswith("PH") else "pawp_mmhg"
        score = true[column].reindex(output.exams["exam_id"].map(shown)).to_numpy(float)
        sample = resample(output.exams["patient_id"], draws=0, seed=0)
        found[name] = float(auc(output.exams["label"].to_numpy(bool), score, sample).values[0])
    return found
