"""A bundle's estimates of the exams of any cohort, as the node would make them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any

import pandas as pd

from inference.bundle.calibration import Recalibration
from inference.bundle.loading import Bundle
from inference.bundle.manifest import Manifest
from inference.bundle.targets import ValueTarget
from inference.errors import TrainingDataError
from inference.pipelines.familiar_loops import Unfamiliar
from inference.pipelines.fusion import Fusion, fuse_exam
from inference.pipelines.haemodynamics import primary
from inference.training.cohort.reading import CohortExam
from inference.training.cohort.scan import Progress
from inference.training.evaluation import Predictions
from inference.training.evaluation.predictions import Unestimated
from inference.training.exams import Exams
from inference.training.familiarity import by_prefix, exam_features
from inference.training.predict import Notes, facts, loop_rows, subset_rows
from inference.training.scales import truth

#: The split that all exams that count are put into.
JUDGED = "test"


@dataclass(slots=True)
class Estimated:
    """The exams that got an estimate, by number, and their loops; how many loops and exams did not.

    `judged` says whether unfamiliar loops were looked for, `excluded` whether they take no part;
    `abstained` are the exams without an estimate for that reason.
    """

    judged: bool
    excluded: bool
    noted: Notes
    fused: dict[str, Fusion] = field(default_factory=dict)
    loops: list[dict[str, Any]] = field(default_factory=list)
    subsets: list[dict[str, Any]] = field(default_factory=list)
    unlike: int = 0
    of: int = 0
    abstained: set[str] = field(default_factory=set)

    def sentence(self) -> str:
        """What the bundle does not take for its own, of this cohort."""
        if not self.judged:
            return "It was not judged whether loops resemble those that the bundle was trained on."
        becomes = "take no part" if self.excluded else "are used all the same"
        return (
            f"{self.unlike} of {self.of} loops are unlike anything the bundle was trained on and "
            f"{becomes}; {len(self.abstained)} exams have no estimate for that reason."
        )

    def predictions(self, manifest: Manifest, chosen: Sequence[CohortExam]) -> Predictions:
        """The tables that an evaluation judges, all exams that count among them."""
        rows = []
        for exam in chosen:
            fusion = self.fused.get(exam.exam_id)
            rows += [
                {
                    "exam_id": exam.exam_id,
                    "patient_id": exam.patient_number,
                    "split": exam.split,
                    "target": target.name,
                    "truth": truth(exam, target.name),
                    **self._estimate(target, exam.exam_id),
                    "trvmax_m_s": exam.trvmax_m_s,
                    **facts(exam, fusion, self.noted),
                }
                for target in manifest.quantities.values()
            ]
        loops = pd.DataFrame(self.loops) if self.loops else None
        subsets = pd.DataFrame(self.subsets) if self.subsets else None
        return Predictions.of(pd.DataFrame(rows), loops, subsets)

    def _estimate(self, target: ValueTarget, exam_id: str) -> dict[str, Any]:
        """Estimate and evidence of an exam; NaN and why where the node gives no estimate."""
        fusion = self.fused.get(exam_id)
        if fusion is None:
            unlike = exam_id in self.abstained
            why = Unestimated.UNFAMILIAR if unlike else Unestimated.NO_LOOP
            return {"estimate": nan, "evidence": nan, "unestimated": why.value}
        evidence, held = target.evidence, fusion.evidence[target.name]
        if evidence is None or evidence.suffices(evidence.share(held)):
            return {"estimate": fusion.estimates[target.name], "evidence": held, "unestimated": ""}
        why = Unestimated.LITTLE_EVIDENCE
        return {"estimate": nan, "evidence": held, "unestimated": why.value}

    def with_truth(self, predictions: Predictions) -> tuple[Predictions, list[str]]:
        """Without the targets that no exam of the cohort can judge, and a sentence on each of them.

        Raises:
            TrainingDataError: no exam can judge any.
        """
        judged = [name for name in predictions.targets if len(predictions.rows(JUDGED, name))]
        if not judged and self.abstained:
            raise TrainingDataError(
                f"evaluate: the bundle abstains from {len(self.abstained)} exams, since too few of "
                "their loops resemble what it was trained on, and no other has an estimate; "
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


def estimate_exams(
    bundle: Bundle, exams: Exams, noted: Notes, unfamiliar: Unfamiliar, on_progress: Progress
) -> Estimated:
    """The networks' own estimates, before the bundle's recalibration, as an evaluation wants.

    Loops are used as the pipeline would use them by its setting `unfamiliar`.
    """
    targets = tuple(
        target.model_copy(update={"recalibration": Recalibration()})
        for target in bundle.manifest.quantities.values()
    )
    raw = replace(bundle, manifest=bundle.manifest.model_copy(update={"targets": targets}))
    first = primary([target.name for target in targets])
    familiarity = None if unfamiliar == "off" else bundle.familiarity
    found = Estimated(familiarity is not None, unfamiliar == "exclude", noted)
    for done, each in enumerate(exams, start=1):
        features = exam_features(raw, each)
        used, far = list(range(len(each.loops))), [nan] * len(each.loops)
        if familiarity is not None:
            far = familiarity.distances(by_prefix(raw, features, each.frames)).tolist()
            judgement = familiarity.exam(far)
            found.unlike += len(used) - sum(judgement.familiar)
            if found.excluded:
                used = list(judgement.used)
            if not used:
                found.abstained.add(each.exam.exam_id)
        found.of += len(each.loops)
        if used:
            kept = [feature[used] for feature in features]
            fusion = fuse_exam(raw, kept, first)
            found.fused[each.exam.exam_id] = fusion
            found.subsets += subset_rows(raw, each, kept, fusion, (), first)
            found.loops += loop_rows(each, used, fusion, far, noted, first)
        on_progress("estimate", done, len(exams))
    return found
