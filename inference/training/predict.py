"""What a trained run says about every exam, as the node would: the tables that evaluation judges.

Loops unlike those of the training take no part in the estimates, and exams with too few others have
none. Where the familiar ends is set first, on the validation split.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import exp, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

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
from inference.training.evaluation.predictions import FACTS, Unestimated
from inference.training.exams import Exams, open_exams
from inference.training.familiarity import (
    Features,
    by_prefix,
    exam_features,
    keep_familiarity,
    learn_spaces,
    read_familiarity,
    set_limits,
)
from inference.training.run import read_run
from inference.training.run_folder import RUN
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
    columns sop_instance_uid, view and quality, such as a phantom's truth.csv. Without the
    validation split among them, the run's earlier limits tell which loops are familiar.

    Raises:
        TrainingDataError: the run is not finished or of another cohort, a split is empty, its
            frames are not cached, the notes lack a column, or the run has no limits yet.
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
    encoded: dict[str, _Encoded] = {}
    if "validation" in splits:
        spaces, learnt_from = learn_spaces(bundle, opened(split="train"), on_progress)
        encoded = {each.exam.exam_id: _encode(bundle, each) for each in opened(split="validation")}
        validated = [seen for _, seen in encoded.values()]
        keep_familiarity(run, set_limits(spaces, learnt_from, validated))
    sizes = {prefix: network.feature_size for prefix, network in networks.items()}
    familiarity = read_familiarity(run, sizes)
    first = primary(made.recipe.targets)
    fused: dict[str, Fusion] = {}
    loops: list[dict[str, Any]] = []
    subsets: list[dict[str, Any]] = []
    for split in splits:
        exams = opened(split=split)
        for done, each in enumerate(exams, start=1):
            number = each.exam.exam_id
            features, seen = encoded.get(number) or _encode(bundle, each)
            far = familiarity.distances(seen).tolist()
            used = familiarity.exam(far).used
            if used:
                kept = [of_loops[list(used)] for of_loops in features]
                fused[number] = fuse_exam(bundle, kept, first)
                # Whole views are dropped to be looked at on the test split, and never to be fitted.
                views = _views(each, used, noted) if split == "test" else ()
                subsets += subset_rows(bundle, each, kept, fused[number], views, first)
            loops += loop_rows(each, used, fused.get(number), far, noted, first)
            on_progress(f"estimate {split}", done, len(exams))
    rows = [
        _exam_row(exam, scale, fused.get(exam.exam_id), noted, predicted=split in splits)
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


#: The features of an exam's loops, by each network and as familiarity wants them.
_Encoded = tuple[Features, dict[str, NDArray[np.float32]]]


def _encode(bundle: Bundle, each: CachedExam) -> _Encoded:
    features = exam_features(bundle, each)
    return features, by_prefix(bundle, features, each.frames)


def estimate(bundle: Bundle, exams: Exams) -> Iterator[tuple[CachedExam, Fusion]]:
    """One exam after the other, fused by the node's own pipeline."""
    first = primary(bundle.manifest.quantities)
    for each in exams:
        yield each, fuse_exam(bundle, exam_features(bundle, each), first)


def _exam_row(
    exam: CohortExam, scale: Scale, fusion: Fusion | None, noted: Notes, *, predicted: bool
) -> dict[str, Any]:
    unlike = predicted and fusion is None
    estimate = nan if fusion is None else fusion.estimates[scale.target]
    return {
        "exam_id": exam.exam_id,
        "patient_id": exam.patient_number,
        "split": exam.split,
        "target": scale.target,
        "truth": truth(exam, scale.target),
        "estimate": estimate,
        "unestimated": Unestimated.UNFAMILIAR.value if unlike else "",
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
    each: CachedExam,
    used: Sequence[int],
    fusion: Fusion | None,
    far: Sequence[float],
    noted: Notes,
    first: str,
) -> Iterator[dict[str, Any]]:
    """One row a loop; the attention is that of the target `first`.

    `used` are the positions of the loops that `fusion` is of; the others have no weight, score and
    effect. `far` are the distances of all from the loops of the training.
    """
    for number, loop in enumerate(each.loops):
        view, quality = noted.get(loop.sop_instance_uid, ("", ""))
        weight = score = effect = nan
        if fusion is not None and number in used:
            place = used.index(number)
            weight, score = fusion.weights[place], fusion.scores[place]
            effect = fusion.effects[place].get(first, nan)
        yield {
            "exam_id": each.exam.exam_id,
            "target": first,
            "loop": f"L{number + 1:02}",
            "weight": weight,
            "score": score,
            "effect": effect,
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


def _views(each: CachedExam, used: Sequence[int], noted: Notes) -> list[str]:
    return [noted.get(each.loops[number].sop_instance_uid, ("", ""))[0] for number in used]


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
