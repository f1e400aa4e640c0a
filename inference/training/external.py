"""A bundle judged on any cohort, by the node's own functions.

The bundle as shipped comes first. What is fitted locally comes after it, step by step, and may be
written as a bundle of its own.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from inference.bundle.card import MODEL_CARD_FILE, model_card
from inference.bundle.loading import Bundle, load_bundle
from inference.bundle.manifest import Manifest
from inference.errors import BundleError, TrainingDataError
from inference.models.device import choose_device
from inference.pipelines.echo_bundle import loops_of, require_fit
from inference.pipelines.familiar_loops import Unfamiliar
from inference.training.cohort import looks
from inference.training.cohort.caching import cache_frames
from inference.training.cohort.reading import Cohort, CohortExam, patient_ids, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.estimated import JUDGED, estimate_exams
from inference.training.evaluation import Calibration, Evaluation, Predictions, evaluate
from inference.training.evaluation.calibration import TargetCalibration
from inference.training.evaluation.external import (
    Here,
    elsewhere,
    headline,
    write_external,
)
from inference.training.evaluation.local import FitBy, Local, fit_locally
from inference.training.exams import Exams, open_exams
from inference.training.output import write_whole
from inference.training.predict import read_notes
from inference.training.trained import weights_sha256


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found: the bundle as shipped, and the local steps or why there are none."""

    manifest: Manifest
    here: Here
    predictions: Predictions
    evaluation: Evaluation
    local: Local | str

    @property
    def sentences(self) -> list[str]:
        """The few sentences that a hurried reader takes away."""
        return headline(self.evaluation, self.local)


def judge_bundle(  # noqa: PLR0913 - what `echonode evaluate --bundle` may be told
    bundle: Path,
    cohort: Path,
    frames: Path,
    *,
    archive: Path | None = None,
    notes: Path | None = None,
    trained_on: Path | None = None,
    fit_by: FitBy = FitBy.PATIENT,
    fit_share: float = 0.5,
    unfamiliar: Unfamiliar = "exclude",
    device: str = "auto",
    jobs: int = 1,
    draws: int = 2000,
    on_progress: Progress = silent,
) -> Judged:
    """Estimate every exam of a cohort with a bundle and judge it.

    Of the cohort that the bundle was trained on only the test split counts, and the look at it is
    counted. `trained_on` is that
    cohort's folder: exams of its training and validation patients are left out of another cohort.
    `unfamiliar` says what becomes of loops unlike those of the training, as in the pipeline.
    Frames that are not cached in the folder `frames` are cached there first.

    Raises:
        TrainingDataError: no exam counts, its frames cannot be made, or none has an estimate.
        BundleError: the bundle cannot be used, or has no intervals.
    """
    loaded = load_bundle(bundle, choose_device(device))
    require_fit(loaded.manifest)
    shipped, found = as_shipped(loaded.manifest), read_cohort(cohort)
    chosen, here = choose(found, cohort, loaded.manifest, trained_on)
    if found.sha256 == loaded.manifest.cohort.sha256:
        looks.record(cohort, _identity(loaded))
    exams = _open(
        replace(found, exams=chosen, archive=archive or found.archive),
        frames,
        loops_of(loaded.manifest).frame_size_px,
        jobs,
        on_progress,
    )
    noted = {} if notes is None else read_notes(notes)
    estimated = estimate_exams(loaded, exams, noted, unfamiliar, on_progress)
    predictions = estimated.predictions(loaded.manifest, chosen)
    judged, absent = estimated.with_truth(predictions)
    coverage = _coverage(loaded.manifest)
    return Judged(
        loaded.manifest,
        replace(here, caveats=(*here.caveats, estimated.sentence(), *absent)),
        predictions,
        evaluate(judged, fitted=shipped, coverage=coverage, draws=draws),
        fit_locally(
            judged, shipped, fit_by=fit_by, share=fit_share, coverage=coverage, draws=draws
        ),
    )


def write_judged(judged: Judged, out: Path) -> Path:
    """Write report, predictions and model card into a folder; gives back the HTML's path."""
    judged.predictions.write(out)
    card = model_card(judged.manifest, elsewhere(judged.evaluation, judged.here))
    write_whole(out / MODEL_CARD_FILE, card)
    return write_external(judged.evaluation, judged.manifest, judged.here, judged.local, out)


def as_shipped(manifest: Manifest) -> Calibration:
    """The calibration that a bundle carries.

    Raises:
        BundleError: a target has no interval: it was never calibrated.
    """
    targets = {}
    for target in manifest.quantities.values():
        if target.conformal is None:
            raise BundleError(
                f"{manifest.name}: {target.name} has no interval, so it was never calibrated; "
                "pack it from an evaluated run (echonode bundle pack)"
            )
        targets[target.name] = TargetCalibration(
            target.recalibration,
            target.conformal,
            target.decision_threshold,
            target.sd,
            target.evidence,
        )
    return Calibration(targets, manifest.probabilities)


def choose(
    cohort: Cohort, folder: Path, manifest: Manifest, trained_on: Path | None
) -> tuple[tuple[CohortExam, ...], Here]:
    """The exams that did not train the bundle, and what to say about them.

    Raises:
        TrainingDataError: none is left, or `trained_on` is another cohort than the bundle's.
    """
    caveats = []
    trained_with = loops_of(manifest).selection
    if cohort.selection is not trained_with:
        caveats.append(
            f"The cohort's loops were selected by the profile {cohort.selection}, the bundle was "
            f"trained on loops selected by {trained_with}."
        )
    if cohort.sha256 == manifest.cohort.sha256:
        chosen = cohort.part("test")
        whose = (
            "This is the cohort that the bundle was trained on: only its test split counts, "
            f"{len(chosen)} of {len(cohort.exams)} exams."
        )
    elif trained_on is not None:
        known = _training_patients(trained_on, manifest)
        ids = patient_ids(folder)
        chosen = tuple(exam for exam in cohort.exams if ids[exam.exam_id] not in known)
        if not chosen:
            raise TrainingDataError("evaluate: every patient of the cohort trained the bundle")
        whose = (
            f"{len(chosen)} of {len(cohort.exams)} exams count: the others are of patients on whom "
            "the bundle was trained or calibrated."
        )
    else:
        chosen = cohort.exams
        whose = f"This is another cohort than the bundle's: all {len(chosen)} exams count."
        caveats.append(
            "A bundle does not know its patients. If some of them are in this cohort too, the "
            "figures are too good; --trained-on leaves them out."
        )
    exams = tuple(replace(exam, split=JUDGED) for exam in chosen)
    return exams, Here(cohort.sha256, whose, tuple(caveats))


def _training_patients(folder: Path, manifest: Manifest) -> set[str]:
    cohort = read_cohort(folder)
    if cohort.sha256 != manifest.cohort.sha256:
        raise TrainingDataError(
            f"evaluate: {folder} is not the cohort that the bundle was trained on "
            f"(its sha256 is {str(manifest.cohort.sha256)[:16]}...)"
        )
    ids = patient_ids(folder)
    return {ids[exam.exam_id] for exam in cohort.exams if exam.split != "test"}


def _open(cohort: Cohort, frames: Path, size: int, jobs: int, on_progress: Progress) -> Exams:
    """The exams' frames, cached first where they are not."""
    try:
        return open_exams(cohort, frames, split=JUDGED, size=size)
    except TrainingDataError:
        if not cohort.archive.is_dir():
            raise TrainingDataError(
                f"frames: {frames} does not hold the cohort at {size} px, and its archive is not "
                f"at {cohort.archive}; say where it is with --archive"
            ) from None
    cache_frames(cohort, frames, size=size, jobs=jobs, on_progress=on_progress)
    return open_exams(cohort, frames, split=JUDGED, size=size)


def _identity(bundle: Bundle) -> str:
    """As that of the run that the bundle was packed from, where it holds all of its networks."""
    return weights_sha256(bundle.by_prefix)


def _coverage(manifest: Manifest) -> float:
    """What the first target's interval promises."""
    return next(
        target.conformal.coverage for target in manifest.quantities.values() if target.conformal
    )
