"""From nothing to a judged bundle on the phantom: what this room promises, in one call.

It proves that the recipe runs and learns on two cores in minutes. The figures say nothing about
patients.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import pearsonr

from inference.phantom import make
from inference.training.cohort import Cohort, build, cache_frames, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.evaluation import Evaluation
from inference.training.fit import fit
from inference.training.output import write_whole
from inference.training.packing import judge, pack, report
from inference.training.predict import predict
from inference.training.recipe import Recipe, named_recipe
from inference.training.trained import Statement

#: As many exams as leave about 460, 100 and 140 with a catheter in time.
EXAMS = 800
BUNDLE, REPORT, FIGURES = "bundle", "report", "acceptance.json"


@dataclass(frozen=True, slots=True)
class Criterion:
    """A figure and the range that it must lie in; an open side is None."""

    name: str
    reached: float
    low: float | None = None
    high: float | None = None

    @property
    def met(self) -> bool:
        """Whether the figure lies in its range."""
        return (self.low is None or self.reached >= self.low) and (
            self.high is None or self.reached <= self.high
        )


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What was reached, how long each stage took (s), and the bundle's digest.

    `oracle` is what the true pressures would reach as estimates: the catheter's own error is the
    ceiling of every model.
    """

    criteria: tuple[Criterion, ...]
    oracle: Mapping[str, float]
    seconds: dict[str, float]
    digest: str
    bundle: Path
    report: Path

    @property
    def met(self) -> bool:
        """Whether every criterion is met."""
        return all(criterion.met for criterion in self.criteria)


def acceptance(
    folder: Path,
    *,
    recipe: Recipe | None = None,
    exams: int = EXAMS,
    preset: str = "easy",
    seed: int = 1,
    jobs: int = 2,
    on_progress: Progress = silent,
) -> Acceptance:
    """Make the phantom, its cohort, a model, its evaluation and its bundle in `folder`.

    Interrupted and called again, it goes on; stages that were done take no time then. The figures
    stay in acceptance.json, the evaluation in report/, the bundle in bundle/.

    Raises:
        TrainingDataError: too few exams to split, calibrate and judge.
        FileExistsError: the folder holds a phantom of other arguments.
    """
    chosen = recipe or named_recipe("phantom")
    phantom, cohort, frames, run = (
        folder / name for name in ("phantom", "cohort", "frames", "run")
    )
    clock: dict[str, float] = {}
    with _timed(clock, "phantom"):
        make(
            phantom,
            exams=exams,
            preset=preset,
            seed=seed,
            size="small",
            jobs=jobs,
            decoys=False,
            on_progress=partial(on_progress, "phantom"),
        )
    with _timed(clock, "cohort and frames"):
        labels = phantom / "labels.csv"
        build(phantom, labels, cohort, seed=seed, jobs=jobs, on_progress=on_progress)
        found, size = read_cohort(cohort), chosen.frame_size_px
        cache_frames(found, frames, size=size, jobs=jobs, on_progress=on_progress)
    with _timed(clock, "training"):
        fit(chosen, cohort, frames, run, on_progress=on_progress)
    with _timed(clock, "evaluation"):
        notes = phantom / "truth.csv"
        predictions = predict(run, cohort, frames, notes=notes, on_progress=on_progress)
        judged = judge(run, cohort=cohort)
        written = report(run, folder / REPORT, cohort=cohort)
    with _timed(clock, "packing"):
        shutil.rmtree(folder / BUNDLE, ignore_errors=True)
        statement = Statement(name="phantom", licence="CC0-1.0")
        manifest = pack(run, cohort, folder / BUNDLE, frames=frames, statement=statement)
    result = Acceptance(
        criteria=tuple(criteria(judged, predictions.loops)),
        oracle=oracle(found, notes),
        seconds=clock,
        digest=manifest.digest,
        bundle=folder / BUNDLE,
        report=written,
    )
    write_whole(folder / FIGURES, json.dumps(_as_json(result), indent=2) + "\n")
    return result


def criteria(judged: Evaluation, loops: pd.DataFrame) -> Iterator[Criterion]:
    """What the easy preset must reach."""
    for name, low in (("mPAP", 0.80), ("PVR", 0.70), ("PAWP", 0.45)):
        yield Criterion(f"{name} PCC", _figure(judged, name, "pcc"), low=low)
    yield Criterion("mPAP MAE, mmHg", _figure(judged, "mPAP", "mae"), high=8.0)
    yield Criterion("mPAP AUC", _figure(judged, "mPAP", "auc"), low=0.90)
    coverage = _figure(judged, "mPAP", "coverage")
    yield Criterion("mPAP 90 % interval covers", coverage, low=0.82, high=0.96)
    test = set(judged.targets["mPAP"].exams["exam_id"])
    top = loops[loops["exam_id"].isin(test)].sort_values("weight").groupby("exam_id").tail(1)
    informative = float(top["view"].isin(["A4C", "PSAX"]).mean())
    yield Criterion("A4C or PSAX ranks first, share of exams", informative, low=0.85)
    suboptimal = float((top["quality"] == "suboptimal").mean())
    yield Criterion("suboptimal ranks first, share of exams", suboptimal, high=0.10)


def oracle(cohort: Cohort, notes: Path) -> dict[str, float]:
    """PCC and mean absolute error (in the target's unit) of the phantom's truth on the test split.

    `notes` is the phantom's truth.csv.
    """
    true = pd.read_csv(notes).set_index("sop_instance_uid")
    exams = cohort.part("test")
    shown = true.loc[[exam.loops[0].sop_instance_uid for exam in exams]]
    figures: dict[str, float] = {}
    for column, name in (("mpap_mmhg", "mPAP"), ("pvr_wu", "PVR"), ("pawp_mmhg", "PAWP")):
        measured = np.array([exam.truth[column] for exam in exams])
        perfect = shown[column].to_numpy(float)
        known = np.isfinite(measured)
        figures[f"{name} PCC"] = float(pearsonr(perfect[known], measured[known]).statistic)
        figures[f"{name} MAE"] = float(np.abs(perfect[known] - measured[known]).mean())
    return figures


def _figure(judged: Evaluation, target: str, name: str) -> float:
    result = judged.targets.get(target)
    value = None if result is None else result.reported[name].value
    return float("nan") if value is None else value


def _as_json(result: Acceptance) -> dict[str, object]:
    return {
        "criteria": [{**asdict(item), "met": item.met} for item in result.criteria],
        "oracle": dict(result.oracle),
        "seconds": {name: round(seconds, 1) for name, seconds in result.seconds.items()},
        "digest": result.digest,
    }


@contextmanager
def _timed(clock: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    clock[stage] = time.perf_counter() - start
