"""A bundle judged on any cohort, by the node's own functions.

The bundle as shipped comes first. What is fitted locally comes after it, step by step, and may be
written as a bundle of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from inference.bundle.calibration import Recalibration
from inference.bundle.card import MODEL_CARD_FILE, model_card
from inference.bundle.loading import Bundle, load_bundle
from inference.bundle.manifest import Manifest
from inference.errors import BundleError, TrainingDataError
from inference.models.device import choose_device
from inference.pipelines.echo_bundle import require_fit
from inference.pipelines.familiar_loops import Unfamiliar
from inference.pipelines.fusion import Fusion
from inference.training.cohort.frames import cache_frames
from inference.training.cohort.reading import Cohort, CohortExam, patient_ids, read_cohort
from inference.training.cohort.scan import Progress, silent
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
from inference.training.familiarity import by_prefix, exam_features
from inference.training.locally_fitted import write_locally_fitted
from inference.training.output import write_whole
from inference.training.predict import Notes, facts, fuse, loop_rows, read_notes
from inference.training.scales import truth

FRAMES = "frames"
#: Under this word all exams that count are judged.
_JUDGED = "test"


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found: the bundle as shipped, the local steps or why there are none, the report.

    `written` is the bundle with the local steps, where one was asked for.
    """

    evaluation: Evaluation
    local: Local | str
    report: Path
    written: Path | None = None

    @property
    def sentences(self) -> list[str]:
        """The few sentences that a hurried reader takes away."""
        return headline(self.evaluation, self.local)


def judge_bundle(  # noqa: PLR0913 - what `echonode evaluate --bundle` may be told
    bundle: Path,
    cohort: Path,
    out: Path,
    *,
    frames: Path | None = None,
    archive: Path | None = None,
    notes: Path | None = None,
    trained_on: Path | None = None,
    fit_by: FitBy = FitBy.PATIENT,
    fit_share: float = 0.5,
    write_bundle: Path | None = None,
    unfamiliar: Unfamiliar = "exclude",
    device: str = "auto",
    jobs: int = 1,
    draws: int = 2000,
    on_progress: Progress = silent,
) -> Judged:
    """Estimate every exam of a cohort with a bundle, judge it, and write the report into `out`.

    Of the cohort that the bundle was trained on only the test split counts. `trained_on` is that
    cohort's folder: exams of its training and validation patients are left out of another cohort.
    `unfamiliar` says what becomes of loops unlike those of the training, as in the pipeline.
    Frames that are not cached in `frames` (`out`/frames without it) are cached there first.

    `write_bundle` is the folder of a new bundle with the local steps.

    Raises:
        TrainingDataError: no exam counts, its frames cannot be made, none has an estimate, or there
            are too few for the local steps that a new bundle is to have.
        BundleError: the bundle cannot be used or has no intervals, or `write_bundle` exists.
    """
    if write_bundle is not None and write_bundle.exists():
        raise BundleError(f"{write_bundle} exists already; choose another folder or remove it")
    loaded = load_bundle(bundle, choose_device(device))
    require_fit(loaded.manifest)
    shipped, found = as_shipped(loaded.manifest), read_cohort(cohort)
    chosen, here = choose(found, cohort, loaded.manifest, trained_on)
    exams = _open(
        replace(found, exams=chosen, archive=archive or found.archive),
        frames or out / FRAMES,
        loaded.manifest.preprocessing.frame_size_px,
        jobs,
        on_progress,
    )
    estimated = _estimate(
        loaded, exams, {} if notes is None else read_notes(notes), unfamiliar, on_progress
    )
    predictions = _predictions(loaded.manifest, chosen, estimated)
    predictions.write(out)
    judged, absent = _with_truth(predictions, estimated)
    here = replace(here, caveats=(*here.caveats, *estimated.sentences(), *absent))
    coverage = _coverage(loaded.manifest)
    evaluation = evaluate(judged, fitted=shipped, coverage=coverage, draws=draws)
    local = fit_locally(
        judged, shipped, fit_by=fit_by, share=fit_share, coverage=coverage, draws=draws
    )
    report = write_external(evaluation, loaded.manifest, here, local, out)
    write_whole(out / MODEL_CARD_FILE, model_card(loaded.manifest, elsewhere(evaluation, here)))
    if write_bundle is None:
        return Judged(evaluation, local, report)
    write_locally_fitted(bundle, loaded.manifest, local, write_bundle, here, draws=draws)
    return Judged(evaluation, local, report, write_bundle)


def as_shipped(manifest: Manifest) -> Calibration:
    """The calibration that a bundle carries.

    Raises:
        BundleError: a target has no interval: it was never calibrated.
    """
    targets = {}
    for target in manifest.targets:
        if target.conformal is None:
            raise BundleError(
                f"{manifest.name}: {target.name} has no interval, so it was never calibrated; "
                "pack it from an evaluated run (echonode bundle pack)"
            )
        targets[target.name] = TargetCalibration(
            target.recalibration, target.conformal, target.decision_threshold, target.sd
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
    if cohort.selection is not manifest.preprocessing.selection:
        caveats.append(
            f"The cohort's loops were selected by the profile {cohort.selection}, the bundle was "
            f"trained on loops selected by {manifest.preprocessing.selection}."
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
    exams = tuple(replace(exam, split=_JUDGED) for exam in chosen)
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
        return open_exams(cohort, frames, split=_JUDGED, size=size)
    except TrainingDataError:
        if not cohort.archive.is_dir():
            raise TrainingDataError(
                f"frames: {frames} does not hold the cohort at {size} px, and its archive is not "
                f"at {cohort.archive}; say where it is with --archive"
            ) from None
    cache_frames(cohort, frames, size=size, jobs=jobs, on_progress=on_progress)
    return open_exams(cohort, frames, split=_JUDGED, size=size)


@dataclass(slots=True)
class _Estimated:
    """The exams that got an estimate, by number, and their loops; how many loops and exams did not.

    `judged` says whether unfamiliar loops were looked for.
    """

    judged: bool
    noted: Notes
    fused: dict[str, Fusion] = field(default_factory=dict)
    loops: list[dict[str, Any]] = field(default_factory=list)
    left_out: int = 0
    of: int = 0
    abstained: int = 0

    def sentences(self) -> list[str]:
        """What the bundle does not take for its own, of this cohort."""
        if not self.judged:
            return [
                "It was not judged whether loops resemble those that the bundle was trained on."
            ]
        return [
            f"{self.left_out} of {self.of} loops are unlike anything the bundle was trained on and "
            f"take no part; {self.abstained} exams have no estimate for that reason."
        ]


def _estimate(
    bundle: Bundle, exams: Exams, noted: Notes, unfamiliar: Unfamiliar, on_progress: Progress
) -> _Estimated:
    """The networks' own estimates, before the bundle's recalibration, as an evaluation wants."""
    targets = tuple(
        target.model_copy(update={"recalibration": Recalibration()})
        for target in bundle.manifest.targets
    )
    raw = replace(bundle, manifest=bundle.manifest.model_copy(update={"targets": targets}))
    familiarity = None if unfamiliar == "off" else bundle.familiarity
    found = _Estimated(familiarity is not None, noted)
    for done, each in enumerate(exams, start=1):
        features = exam_features(raw, each)
        used, far = list(range(len(each.loops))), [nan] * len(each.loops)
        if familiarity is not None:
            far = familiarity.distances(by_prefix(raw, features)).tolist()
            judgement = familiarity.exam(far)
            found.left_out += len(used) - sum(judgement.familiar)
            found.abstained += not judgement.is_familiar and unfamiliar == "exclude"
            if unfamiliar == "exclude":
                used = [n for n in used if judgement.familiar[n]] if judgement.is_familiar else []
        found.of += len(each.loops)
        if used:
            fusion = fuse(raw, [feature[used] for feature in features])
            found.fused[each.exam.exam_id] = fusion
            seen = replace(each, loops=tuple(each.loops[n] for n in used))
            found.loops += loop_rows(seen, fusion, [far[n] for n in used], noted)
        on_progress("estimate", done, len(exams))
    return found


def _predictions(
    manifest: Manifest, chosen: Sequence[CohortExam], estimated: _Estimated
) -> Predictions:
    rows = []
    for exam in chosen:
        fusion = estimated.fused.get(exam.exam_id)
        rows += [
            {
                "exam_id": exam.exam_id,
                "patient_id": exam.patient_number,
                "split": exam.split,
                "target": target.name,
                "truth": truth(exam, target.name),
                "estimate": nan if fusion is None else fusion.estimates[target.name],
                "trvmax_m_s": exam.trvmax_m_s,
                **facts(exam, fusion, estimated.noted),
            }
            for target in manifest.targets
        ]
    loops = pd.DataFrame(estimated.loops) if estimated.loops else None
    return Predictions.of(pd.DataFrame(rows), loops)


def _with_truth(predictions: Predictions, estimated: _Estimated) -> tuple[Predictions, list[str]]:
    """Without the targets that no exam of the cohort can judge, and a sentence on each of them."""
    judged = [name for name in predictions.targets if len(predictions.rows(_JUDGED, name))]
    if not judged and estimated.abstained:
        raise TrainingDataError(
            f"evaluate: the bundle abstains from {estimated.abstained} exams, since too few of their "
            "loops resemble what it was trained on, and no other has an estimate; "
            "--unfamiliar off judges its estimates all the same"
        )
    if not judged:
        raise TrainingDataError("evaluate: no exam has both a catheter's value and an estimate")
    absent = [
        f"No exam has both a catheter's value and an estimate of {name}: it is not judged."
        for name in predictions.targets
        if name not in judged
    ]
    return predictions.of_targets(judged), absent


def _coverage(manifest: Manifest) -> float:
    """What the first target's interval promises."""
    return next(target.conformal.coverage for target in manifest.targets if target.conformal)
