"""One row of the labels: which columns there are, and what a row must be to be used."""

import math
from collections.abc import Mapping
from typing import Any

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.cells import (
    SEXES,
    WHO_CLASSES,
    DateOrder,
    ImplausibleError,
    Plausible,
    number,
    require_plausible,
    word,
)
from inference.training.cohort.table import Row
from inference.training.cohort.units import CARDIAC_OUTPUT_L_MIN

#: What a model is trained to estimate.
TARGETS = ("mpap_mmhg", "pvr_wu", "pawp_mmhg")
#: Target, as bundles name it -> the cohort's column.
COLUMNS: Mapping[str, str] = dict(zip(QUANTITIES, TARGETS, strict=True))
REQUIRED = ("patient_id", "rhc_date", "mpap_mmhg")

NUMBERS: Mapping[str, Plausible] = {
    "mpap_mmhg": Plausible(7, 120, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "pvr_wu": Plausible(0, 40, above="is it in dyn·s/cm5? 80 dyn·s/cm5 are 1 WU"),
    "pawp_mmhg": Plausible(1, 60, below="is it in kPa? 1 kPa is 7.5 mmHg"),
    "trvmax_m_s": Plausible(0.5, 7, above="is it in cm/s? 100 cm/s are 1 m/s"),
}
#: What describes the patient and trains nothing: column -> how a cell may say it.
WORDS: Mapping[str, Mapping[str, str]] = {"who_class": WHO_CLASSES, "sex": SEXES}
#: The image quality of the echo, in the hospital's own words.
QUALITY = "image_quality"


def parse_row(
    row: Row, order: DateOrder, *, decimal_comma: bool
) -> tuple[dict[str, Any], list[ValueError]]:
    """The values of a row, and why cells are left out that it can do without.

    Raises:
        ValueError: the row cannot be used.
    """
    cells = row.cells
    if row.problem:
        raise ValueError(row.problem)
    if not cells["patient_id"]:
        raise ValueError("no patient_id")
    left_out: list[ValueError] = []
    values: dict[str, Any] = {}
    for name, plausible in NUMBERS.items():
        try:
            values[name] = number(name, cells.get(name, ""), decimal_comma=decimal_comma)
            require_plausible(name, values[name], plausible)
        except ValueError as error:
            if name in REQUIRED:
                raise
            values[name] = math.nan
            left_out.append(error)
    if math.isnan(values["mpap_mmhg"]):
        raise ValueError("no mpap_mmhg")
    left_out += _fit_together(values)
    for name, known in WORDS.items():
        try:
            values[name] = word(name, cells.get(name, ""), known)
        except ValueError as error:
            values[name] = ""
            left_out.append(error)
    values[QUALITY] = " ".join(cells.get(QUALITY, "").split()).lower()[:40]
    day = order.read("rhc_date", cells["rhc_date"])
    return {"patient_id": cells["patient_id"], "rhc_date": day, **values}, left_out


def _fit_together(values: dict[str, Any]) -> list[ValueError]:
    """Check what mPAP, PAWP and PVR say about each other.

    Raises:
        ImplausibleError: one of them is wrong, and nobody can say which.
    """
    mpap, pawp, pvr = (values[name] for name in ("mpap_mmhg", "pawp_mmhg", "pvr_wu"))
    if pawp > mpap:
        raise ImplausibleError(
            f"pawp_mmhg {pawp:g} above mpap_mmhg {mpap:g}: impossible; are they exchanged?"
        )
    gradient = mpap - pawp
    if math.isnan(gradient) or math.isnan(pvr):
        return []
    if pvr == 0 and gradient > 0:
        values["pvr_wu"] = math.nan
        return [
            ValueError(
                f"pvr_wu is 0 with {gradient:g} mmHg from mPAP to PAWP; is 0 written for "
                "'not measured'? Leave the cell empty"
            )
        ]
    low, high = CARDIAC_OUTPUT_L_MIN
    if pvr > 0 and not low <= gradient / pvr <= high:
        raise ImplausibleError(
            f"mpap_mmhg {mpap:g}, pawp_mmhg {pawp:g} and pvr_wu {pvr:g} imply a cardiac output of "
            f"{gradient / pvr:.2g} L/min, outside {low:g}..{high:g}: one of the three is wrong"
        )
    return []
