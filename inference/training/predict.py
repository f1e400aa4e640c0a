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
from inference.pipelines.echo_bundle import primary
from inference.pipelines.fusion import Fusion, fuse_exam
from inference.regular_files import require_regular
from inference.training.checkpoint import require_same
from inference.training.cohort import looks
from inference.training.cohort.frames import CachedExam
from inference.training.cohort.reading import CohortExam, read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.cohort.splitting import SPLITS
from inference.training.evaluation import Predictions
from inference.training.evaluation.predictions import FACTS
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import (
    Features,
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
    for split in splits:
        exams = opened(split=split)
        for done, each in enumerate(exams, start=1):
            features = exam_features(bundle, each)
            fusion = fuse(bundle, features)
            far = distances(spaces, by_prefix(bundle, features)).tolist()
            fused[each.exam.exam_id] = fusion
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
    predictions = Predictions.of(pd.DataFrame(rows), pd.DataFrame(loops))
    predictions.write(run)
    return predictions


def estimate(bundle: Bundle, exams: Exams) -> Iterator[tuple[CachedExam, Fusion]]:
    """One exam after the other, fused by the node's own pipeline."""
    for each in exams:
        yield each, fuse(bundle, exam_features(bundle, each))


def fuse(bundle: Bundle, features: Features) -> Fusion:
    """One exam by the node's own pipeline, from its loops' features."""
    with torch.inference_mode():
        return fuse_exam(
            bundle, features, primary([target.name for target in bundle.manifest.targets])
        )


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
