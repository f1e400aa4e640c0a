"""What a trained run says about every exam: the tables that the evaluation judges.

How far each loop lies from the training loops is told too, and where the familiar ends.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import exp, nan
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from inference.bundle.familiarity import distances
from inference.bundle.loading import Bundle
from inference.errors import TrainingDataError
from inference.models.device import choose_device
from inference.pipelines.fusion import Fusion, fuse_exam
from inference.pipelines.haemodynamics import primary
from inference.regular_files import require_regular
from inference.training.checkpoint import require_same
from inference.training.cohort import looks
from inference.training.cohort.frames import CachedExam
from inference.training.cohort.reading import CohortExam, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cohort.splitting import SPLITS
from inference.training.dropping import draws
from inference.training.evaluation import Predictions
from inference.training.evaluation.familiarity import PROBES_CSV
from inference.training.evaluation.predictions import FACTS
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import (
    by_prefix,
    exam_features,
    keep_familiarity,
    learn_spaces,
    set_limits,
)
from inference.training.run import RUN, read_run
from inference.training.scales import Scale, truth
from inference.training.trained import in_memory, load_networks, weights_sha256

#: SOP Instance UID -> what somebody noted about the loop: view, quality.
Notes = Mapping[str, tuple[str, str]]


def predict(
    run: Path,
    cohort: Path,
    frames: Path,
    *,
    splits: Sequence[str] = ("validation", "test"),
    notes: Path | None = None,
    on_progress: Progress = silent,
) -> Predictions:
    """Estimate every exam of the splits as the node would, and keep the tables in the run.

    A look at the test split is counted in the cohort (`cohort/looks.py`). The other splits' exams
    are in the tables without an estimate. `notes` is a table with the
    columns sop_instance_uid, view and quality, such as a phantom's truth.csv.

    Raises:
        TrainingDataError: the run is not finished or of another cohort, a split is empty, its
            frames are not cached, or the notes lack a column.
    """
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    noted = {} if notes is None else read_notes(notes)
    device = choose_device(made.recipe.device.name)
    networks = load_networks(run, made)
    if "test" in splits:
        # Before anything is seen of it: a look that was broken off is a look.
        looks.record(cohort, weights_sha256(networks))
    bundle = in_memory(made, networks, device)
    opened = partial(open_exams, found, frames, size=made.recipe.frame_size_px)
    spaces, learnt_from = learn_spaces(bundle, opened(split="train"), on_progress)
    first = primary(made.recipe.targets)
    fused: dict[str, Fusion] = {}
    loops: list[dict[str, Any]] = []
    validated: list[list[float]] = []
    subsets: list[dict[str, Any]] = []
    for split in splits:
        exams = opened(split=split)
        for done, each in enumerate(exams, start=1):
            features = exam_features(bundle, each)
            fusion = fuse_exam(bundle, features, first)
            far = distances(spaces, by_prefix(bundle, features, each.frames)).tolist()
            fused[each.exam.exam_id] = fusion
            # Whole views are dropped to be looked at on the test split, and never to be fitted.
            views = _views(each, noted) if split == "test" else ()
            subsets += subset_rows(bundle, each, features, fusion, views, first)
            loops += loop_rows(each, fusion, far, noted, first)
            if split == "validation":
                validated.append(far)
            on_progress(f"estimate {split}", done, len(exams))
    if validated:
        keep_familiarity(run, set_limits(spaces, learnt_from, validated))
    rows = [
        _exam_row(exam, scale, fused.get(exam.exam_id), noted)
        for split in SPLITS
        for exam in found.exams
        if exam.split == split
        for scale in made.scales
    ]
    predictions = Predictions.of(
        pd.DataFrame(rows), pd.DataFrame(loops), pd.DataFrame(subsets) if subsets else None
    )
    predictions.write(run)
    (run / PROBES_CSV).unlink(missing_ok=True)  # by other limits
    return predictions


def estimate(bundle: Bundle, exams: Exams) -> Iterator[tuple[CachedExam, Fusion]]:
    """One exam after the other, fused by the node's own pipeline."""
    first = primary([target.name for target in bundle.manifest.targets])
    for each in exams:
        yield each, fuse_exam(bundle, exam_features(bundle, each), first)


def _exam_row(
    exam: CohortExam, scale: Scale, fusion: Fusion | None, noted: Notes
) -> dict[str, Any]:
    estimate = nan if fusion is None else fusion.estimates[scale.target]
    return {
        "exam_id": exam.exam_id,
        "patient_id": exam.patient_number,
        "split": exam.split,
        "target": scale.target,
        "truth": truth(exam, scale.target),
        "estimate": estimate,
        # What the cross-entropy of training made of it.
        "probability": 1 / (1 + exp((scale.limit - estimate) / scale.tau)),
        "trvmax_m_s": exam.trvmax_m_s,
        "evidence": nan if fusion is None else fusion.evidence[scale.target],
        **facts(exam, fusion, noted),
    }


def facts(exam: CohortExam, fusion: Fusion | None, noted: Notes) -> dict[str, Any]:
    """What subgroups are made of; quality by the labels, else by the notes on most loops."""
    known = {name: getattr(exam, name) for name in FACTS}
    known |= {"age_years": exam.age_years, "days_apart": exam.days_apart}
    known["loops"] = nan if fusion is None else len(fusion.weights)
    uids = [loop.sop_instance_uid for loop in exam.loops]
    qualities = [noted[uid][1] for uid in uids if uid in noted and noted[uid][1]]
    if qualities and not exam.quality:
        known["quality"] = min(qualities, key=lambda each: (-qualities.count(each), each))
    return known


def loop_rows(
    each: CachedExam, fusion: Fusion, far: Sequence[float], noted: Notes, first: str
) -> Iterator[dict[str, Any]]:
    """One row a loop; the attention is that of the target `first`.

    `far` are the loops' distances from those of the training.
    """
    for number, loop in enumerate(each.loops):
        view, quality = noted.get(loop.sop_instance_uid, ("", ""))
        yield {
            "exam_id": each.exam.exam_id,
            "target": first,
            "loop": f"L{number + 1:02}",
            "weight": fusion.weights[number],
            "score": fusion.scores[number],
            "effect": fusion.effects[number].get(first, nan),
            "distance": far[number],
            "view": view,
            "quality": quality,
        }


def subset_rows(
    bundle: Bundle,
    each: CachedExam,
    features: Sequence[torch.Tensor],
    whole: Fusion,
    views: Sequence[str],
    first: str,
) -> Iterator[dict[str, Any]]:
    """One row a target and a draw of some of the exam's loops; `whole` is the fusion of all."""
    for number, draw in enumerate(draws(each.exam.exam_id, whole.scores, views), start=1):
        kept = torch.tensor(draw.kept)
        some = [loops[kept.to(loops.device)] for loops in features]
        fusion = fuse_exam(bundle, some, first, leave_out=False)
        for target, value in fusion.estimates.items():
            yield {
                "exam_id": each.exam.exam_id,
                "target": target,
                "draw": draw.kind,
                "number": number,
                "loops": len(draw.kept),
                "evidence": fusion.evidence[target],
                "estimate": value,
            }


def _views(each: CachedExam, noted: Notes) -> list[str]:
    return [noted.get(loop.sop_instance_uid, ("", ""))[0] for loop in each.loops]


def read_notes(path: Path) -> Notes:
    """Read what was noted about loops: a table with sop_instance_uid, view and quality.

    Raises:
        TrainingDataError: it cannot be read, or lacks a column.
    """
    try:
        require_regular(path)
        with path.open(newline="", encoding="utf-8") as file:
            return {
                row["sop_instance_uid"]: (row["view"], row["quality"])
                for row in csv.DictReader(file)
            }
    except OSError as error:
        raise TrainingDataError(f"notes {path}: cannot be read ({error.strerror})") from None
    except KeyError as error:
        raise TrainingDataError(
            f"notes {path}: no column {error}; it needs sop_instance_uid, view and quality"
        ) from None
