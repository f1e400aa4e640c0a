"""The conditions and subgroups that pressures and resistance define (2022 ESC/ERS Guidelines)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.pipelines.haemodynamics import (
    PH,
    PRECAPILLARY_PH,
    QUANTITIES,
    Condition,
    Criterion,
)

#: Title -> criteria, as the paper reports them.
CONDITIONS: Mapping[str, Sequence[Criterion]] = {
    "PH": PH.criteria,
    "Pre-capillary PH": (Criterion("mPAP", above=True), Criterion("PVR", above=True)),
    "Pre-capillary PH without left heart disease": PRECAPILLARY_PH.criteria,
}
#: Those for which a bundle holds a probability curve.
WITH_PROBABILITY: Sequence[Condition] = (PH, PRECAPILLARY_PH)
#: Its key in a bundle -> its name.
NAMED: Mapping[str, str] = {condition.key: condition.name for condition in WITH_PROBABILITY}

LIMITS: Mapping[str, float] = {name: quantity.upper_limit for name, quantity in QUANTITIES.items()}

#: Subgroup of the paper's Table 6 -> criteria on the catheter's values.
SUBGROUPS: Mapping[str, Sequence[Criterion]] = {
    "No PH": (Criterion("mPAP", above=False),),
    "PH": (Criterion("mPAP", above=True),),
    "Pre-capillary PH": PRECAPILLARY_PH.criteria,
    "Unclassified PH": (
        Criterion("mPAP", above=True),
        Criterion("PVR", above=False),
        Criterion("PAWP", above=False),
    ),
    "CpcPH": (
        Criterion("mPAP", above=True),
        Criterion("PVR", above=True),
        Criterion("PAWP", above=True),
    ),
    "IpcPH": (
        Criterion("mPAP", above=True),
        Criterion("PVR", above=False),
        Criterion("PAWP", above=True),
    ),
}


def wording(criteria: Sequence[Criterion]) -> str:
    """The criteria as text, such as "mPAP > 20 mmHg, PVR ≤ 2 Wood units"."""
    return ", ".join(
        f"{item.quantity} {'>' if item.above else '≤'} {LIMITS[item.quantity]:g} "
        f"{QUANTITIES[item.quantity].unit.meaning}"
        for item in criteria
    )


def met(
    criteria: Sequence[Criterion], values: pd.DataFrame, thresholds: Mapping[str, float]
) -> NDArray[np.bool_]:
    """Which rows of `values` (a column per target, none missing) meet every criterion."""
    sides = [(values[item.quantity] > thresholds[item.quantity]) == item.above for item in criteria]
    every: NDArray[np.bool_] = np.all([side.to_numpy(dtype=bool) for side in sides], axis=0)
    return every


def complete(
    criteria: Sequence[Criterion], truth: pd.DataFrame, estimate: pd.DataFrame | None = None
) -> NDArray[np.bool_]:
    """Which exams have every value that the criteria ask for; none where a target is absent."""
    known = np.ones(len(truth), dtype=bool)
    for table in (truth, estimate):
        if table is None:
            continue
        for item in criteria:
            if item.quantity not in table:
                return np.zeros(len(truth), dtype=bool)
            known &= table[item.quantity].notna().to_numpy()
    return known
