"""In which unit a whole column is, as its values show it.

One value may be plausible in several units; the middle of a column is not. Pressures in kPa lie
partly inside the plausible range of mmHg, and those in cmH2O wholly: they show in the cardiac
output that mPAP, PAWP and PVR imply, and beside the tricuspid regurgitation velocity.
"""

import math

import numpy as np
import pandas as pd

#: (mPAP - PAWP) / PVR beyond this, in L/min, is no living adult's cardiac output.
CARDIAC_OUTPUT_L_MIN = (1.5, 15.0)

#: Fewer values than this have no middle to judge by.
_FEWEST, _FEWEST_FOR_CMH2O = 5, 20
#: Middle of cohorts: cardiac output at rest in L/min, and mPAP by its estimate from TRVmax.
_USUAL_OUTPUT_L_MIN, _USUAL_RATIO = 5.0, 0.95
#: 1 mmHg is 1.36 cmH2O. How far both yardsticks, or one alone, must point that way.
_BOTH_FACTOR, _ONE_FACTOR = 1.20, 1.28


def implied_cardiac_output_l_min(values: pd.DataFrame) -> "pd.Series[float]":
    """(mPAP - PAWP) / PVR of each row; NaN where one is missing or PVR is 0."""
    resistance = values["pvr_wu"].where(values["pvr_wu"] != 0)
    return (values["mpap_mmhg"] - values["pawp_mmhg"]) / resistance


def other_units(values: pd.DataFrame) -> list[str]:
    """What speaks for another unit than the column's name states, one sentence each.

    `values` has mpap_mmhg, pvr_wu, pawp_mmhg and trvmax_m_s as float, as they stand in the table.
    """
    found = [
        sentence
        for column, low, high, too_low, too_high in (
            ("mpap_mmhg", 10, 70, _KPA, "in hPa, Pa, or the systolic pressure"),
            ("pawp_mmhg", 3.5, 40, _KPA, "in hPa, Pa, or not the wedge pressure"),
            ("pvr_wu", 0.2, 40, "in another unit", _DYN),
            ("trvmax_m_s", 1, 7, "in another unit", "in cm/s and not in m/s (100 cm/s are 1 m/s)"),
        )
        if (sentence := _middle(values, column, low, high, too_low, too_high))
    ]
    if found:
        return found
    output = implied_cardiac_output_l_min(values).dropna()
    low, high = CARDIAC_OUTPUT_L_MIN
    if len(output) >= _FEWEST and not low <= output.median() <= high:
        sentence = (
            f"mpap_mmhg, pawp_mmhg and pvr_wu imply a cardiac output of {output.median():.2g} "
            f"L/min in the middle of {len(output)} rows: one of them is in another unit"
        )
        return [sentence]
    factor = _pressure_factor(values, output)
    if factor is None:
        return []
    sentence = (
        f"the pressures are about {factor:.2f} times what TRVmax and the implied cardiac output "
        "let expect: they look as if in cmH2O and not in mmHg (1 mmHg is 1.36 cmH2O)"
    )
    return [sentence]


_KPA = "in kPa and not in mmHg (1 kPa is 7.5 mmHg)"
_DYN = "in dyn·s/cm5 and not in Wood units (80 dyn·s/cm5 are 1 WU)"


def _middle(
    values: pd.DataFrame, column: str, low: float, high: float, too_low: str, too_high: str
) -> str:
    known = values[column].replace([math.inf, -math.inf], math.nan).dropna()
    # A 0 says more often "not measured" than anything about the unit.
    known = known[known != 0]
    if len(known) < _FEWEST or low <= known.median() <= high:
        return ""
    unit = too_low if known.median() < low else too_high
    return (
        f"the middle {column} of {len(known)} rows is {known.median():.3g}: it looks as if {unit}"
    )


def _pressure_factor(values: pd.DataFrame, output: "pd.Series[float]") -> float | None:
    """By what factor all pressures are too large; None where nothing says so."""
    # mPAP = 0.61 sPAP + 2 mmHg (Chemla 2004); sPAP = 4 TRVmax^2 + 8 mmHg of right atrial pressure.
    expected = 0.61 * (4 * values["trvmax_m_s"] ** 2 + 8) + 2
    ratio = (values["mpap_mmhg"] / expected)[values["trvmax_m_s"].between(1, 7)].dropna()
    factors = [
        float(known.median()) / usual
        for known, usual in ((output, _USUAL_OUTPUT_L_MIN), (ratio, _USUAL_RATIO))
        if len(known) >= _FEWEST_FOR_CMH2O and known.median() > 0
    ]
    if not factors:
        return None
    factor = float(np.exp(np.mean(np.log(factors))))
    return factor if factor > (_ONE_FACTOR if len(factors) == 1 else _BOTH_FACTOR) else None
