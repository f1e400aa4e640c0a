"""How well a model tells exams unlike its training: what it loses of the known, catches of others.

The exams of the test split should be familiar; probes are exams of which it is known that they are
not, or not quite (`inference.phantom.probes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from inference.bundle.familiarity import Familiarity, Limits
from inference.training.evaluation.metrics import Figure, mean, resample
from inference.training.evaluation.predictions import Predictions

Values = NDArray[np.float64]

PROBES_CSV = "probes.csv"
PROBE_COLUMNS = ("group", "name", "exam", "distance")


@dataclass(frozen=True, slots=True)
class Kind:
    """Exams of one kind against the limits.

    `loops`: share of loops beyond their limit; `exams`: share of exams without an estimate.
    `auroc`: how well the distance tells these loops from those of the test split (0.5: not at
    all); None for the test split. `distances` of the loops are in units of the loops' limit.
    """

    group: str
    name: str
    loops: Figure
    exams: Figure
    auroc: float | None
    distances: Values


@dataclass(frozen=True, slots=True)
class Resemblance:
    """The test split and the probes; `unjudged` test loops have no known distance."""

    limits: Limits
    test: Kind
    probes: Sequence[Kind]
    unjudged: int


def assess(
    limits: Limits | None, predictions: Predictions, probes: pd.DataFrame | None = None
) -> Resemblance | None:
    """Judge the loops of the test split and of probes by the limits of a bundle.

    `probes` has a row per loop: group, name, exam, distance. None without limits, or where no
    distance of a test loop is known.
    """
    if limits is None:
        return None
    exams = predictions.exams
    patients = exams[exams["split"] == "test"].drop_duplicates("exam_id")
    patient_of = patients.set_index("exam_id")["patient_id"]
    loops = predictions.loops[predictions.loops["exam_id"].isin(patient_of.index)]
    # Loops are listed once per target whose attention is known.
    loops = loops.drop_duplicates(["exam_id", "loop"])
    known = loops.dropna(subset="distance")
    if known.empty:
        return None
    rows = known[["exam_id", "distance"]].rename(columns={"exam_id": "exam"})
    rows["patient"] = rows["exam"].map(patient_of)
    test = _judge(limits, "", "test split", rows, None)
    found = []
    if probes is not None:
        for (group, name), each in probes.groupby(["group", "name"], sort=False):
            strange = each.assign(patient=each["exam"])
            found.append(_judge(limits, str(group), str(name), strange, test.distances))
        groups = list(dict.fromkeys(kind.group for kind in found))
        found.sort(key=lambda kind: groups.index(kind.group))
    return Resemblance(limits, test, found, len(loops) - len(known))


def _judge(limits: Limits, group: str, name: str, rows: pd.DataFrame, known: Values | None) -> Kind:
    """`rows` has a row per loop: exam, patient, distance."""
    familiarity = Familiarity(limits, {})
    by_exam = rows.groupby("exam", sort=False)
    lost = by_exam["distance"].agg(lambda far: not familiarity.exam(far.tolist()).is_familiar)
    far = rows["distance"].to_numpy(float) / limits.loop_limit
    return Kind(
        group,
        name,
        _share(far > 1, rows["patient"]),
        _share(lost.to_numpy(bool), by_exam["patient"].first()),
        None
        if known is None
        else float(mannwhitneyu(far, known).statistic / far.size / known.size),
        far,
    )


def _share(flags: NDArray[np.bool_], patients: "pd.Series[str]") -> Figure:
    """A share with Wilson's interval, the patient being the unit; needs no draws."""
    return mean(flags, resample(patients, draws=0, seed=0)).figure()
