"""Simulated predictions of a model that resembles the published one."""

import numpy as np
import pandas as pd

from inference.bundle.exam_evidence import log_evidence
from inference.training.dropping import draws
from inference.training.evaluation import Predictions

VIEWS = ("A4C", "PSAX", "PLAX", "subcostal", "A2C", "suprasternal")
QUALITIES = ("good", "acceptable", "suboptimal")


def simulate(
    seed: int = 0,
    *,
    exams: dict[str, int] | None = None,
    loops: bool = True,
) -> Predictions:
    """Exams with truth, shrunken noisy estimates, TRVmax and, on request, loops."""
    rng = np.random.default_rng(seed)
    sizes = exams or {"train": 60, "validation": 100, "test": 160}
    split = np.repeat(list(sizes), list(sizes.values()))
    n = len(split)
    mpap = np.where(
        rng.random(n) < 0.25, rng.uniform(11, 20, n), rng.normal(44, 13, n).clip(21, 85)
    )
    pawp = rng.normal(12, 5, n).clip(3, 30)
    pawp = np.minimum(pawp, mpap - 2)
    pvr = (mpap - pawp) / rng.normal(4.8, 1, n).clip(2.5, 8)
    exam_id = np.array([f"E{i:05d}" for i in range(n)])
    # Every fifth exam is its predecessor's patient, unless a split begins there.
    again = [i % 5 == 4 and split[i] == split[i - 1] for i in range(n)]
    patient_id = np.array([f"P{i - again[i]:04d}" for i in range(n)])
    trvmax = np.sqrt(mpap / 0.61 / 4) + rng.normal(0, 0.35, n)
    trvmax[rng.random(n) > 0.75] = np.nan
    tables = []
    for target, truth, sd in (("mPAP", mpap, 11.0), ("PVR", pvr, 3.0), ("PAWP", pawp, 4.0)):
        shrunken = truth.mean() + 0.62 * (truth - truth.mean())
        estimate = np.maximum(0, shrunken + rng.normal(1, sd * 0.8, n))
        tables.append(
            pd.DataFrame(
                {
                    "exam_id": exam_id,
                    "patient_id": patient_id,
                    "split": split,
                    "target": target,
                    "truth": truth,
                    "estimate": estimate,
                    "trvmax_m_s": trvmax,
                    "probability": 1 / (1 + np.exp(-(estimate - 20) / 5))
                    if target == "mPAP"
                    else np.nan,
                }
            )
        )
    attended = pd.concat([_loops(rng, each) for each in exam_id]) if loops else None
    return Predictions.of(pd.concat(tables, ignore_index=True), attended)


def _loops(rng: np.random.Generator, exam_id: str) -> pd.DataFrame:
    """Attention to the view, informative or not (suprasternal draws it and says nothing)."""
    count = int(rng.integers(4, 30))
    view, quality = rng.integers(0, 6, count), rng.integers(0, 3, count)
    score = np.array([1.5, 1.0, 0.2, 0.4, -0.5, 0.6])[view] - 0.6 * (quality == 2)
    score += rng.normal(0, 0.5, count)
    weight = np.exp(score) / np.exp(score).sum()
    return pd.DataFrame(
        {
            "exam_id": exam_id,
            "target": "mPAP",
            "loop": [f"L{k:02d}" for k in range(count)],
            "weight": weight,
            "score": score,
            "effect": weight * rng.normal(0, 8, count) * (view < 4),
            "view": np.array(VIEWS)[view],
            "quality": np.array(QUALITIES)[quality],
        }
    )


def with_fewer_loops(predictions: Predictions, seed: int = 0) -> Predictions:
    """The same exams of eight loops, and draws of fewer, whose estimates are worse with each."""
    rng = np.random.default_rng(seed)
    exams = predictions.exams.copy()
    strength = dict(
        zip(sorted(set(exams["exam_id"])), rng.normal(0, 0.5, len(exams)), strict=False)
    )
    exams["loops"] = 8
    exams["evidence"] = np.log(8) + exams["exam_id"].map(strength)
    tables = []
    for number, (kind, loops) in enumerate(
        [
            *(("random", loops) for loops in (1, 2, 4, 6)),
            *(("most attended", loops) for loops in (7, 4, 1)),
        ],
        start=1,
    ):
        part = exams[["exam_id", "target", "evidence", "estimate"]].copy()
        spread = exams.groupby("target")["estimate"].transform("std")
        part["estimate"] += rng.normal(0, 1, len(part)) * spread * np.sqrt(1 / loops - 1 / 8)
        part["evidence"] += np.log(loops / 8)
        tables.append(part.assign(draw=kind, number=number, loops=loops))
    return Predictions.of(exams, predictions.loops, pd.concat(tables, ignore_index=True))


def with_informative_views(seed: int, *, exams: dict[str, int]) -> Predictions:
    """mPAP of exams in which A4C and PSAX show the truth, and all other views the usual value.

    Attention knows a good A4C or PSAX. A poor one has little more score than other views, so that
    an exam of poor ones holds as much evidence as an exam of many other views.
    """
    rng = np.random.default_rng(seed)
    split = np.repeat(list(exams), list(exams.values()))
    whole, subsets = [], []
    for number, part in enumerate(split):
        exam, truth = f"E{number:05d}", float(rng.normal(35, 16))
        views = ["A4C", "PSAX"] * int(rng.integers(1, 3)) + ["PLAX"] * int(rng.integers(2, 6))
        shown = np.array([view != "PLAX" for view in views])
        scores = np.where(
            shown, rng.normal(rng.normal(4, 1.5), 1, len(views)), rng.normal(1.5, 1, len(views))
        )
        says = np.where(shown, truth + rng.normal(0, 8, len(views)), rng.normal(35, 3, len(views)))
        every = tuple(range(len(views)))
        whole.append((exam, part, truth, *_fused(says, scores, every)))
        for at, draw in enumerate(draws(exam, scores.tolist(), views), start=1):
            fused = _fused(says, scores, draw.kept)
            subsets.append((exam, draw.kind, at, *fused))
    numbers = ["loops", "evidence", "estimate"]
    table = pd.DataFrame(whole, columns=["exam_id", "split", "truth", *numbers])
    drawn = pd.DataFrame(subsets, columns=["exam_id", "draw", "number", *numbers])
    table = table.assign(patient_id=table["exam_id"].str.replace("E", "P"), target="mPAP")
    return Predictions.of(table, None, drawn.assign(target="mPAP"))


def _fused(says: np.ndarray, scores: np.ndarray, kept: tuple[int, ...]) -> tuple[int, float, float]:
    """How many loops, their evidence and their estimate, fused by attention."""
    chosen = list(kept)
    weights = np.exp(scores[chosen])
    estimate = float(weights @ says[chosen] / weights.sum())
    return len(chosen), log_evidence(scores[chosen].tolist()), estimate
