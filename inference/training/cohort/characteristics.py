"""Who the cohort is: the paper's Table 1 as a table and its Figure 4 as histograms."""

import io

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from inference.training.cohort.splitting import SPLITS

#: 2022 ESC/ERS Guidelines: pulmonary hypertension is an mPAP above 20 mmHg.
PH_LIMIT_MMHG = 20

MEASURED = {
    "age_years": "Age, years",
    "mpap_mmhg": "mPAP, mmHg",
    "pvr_wu": "PVR, WU",
    "pawp_mmhg": "PAWP, mmHg",
    "trvmax_m_s": "TRVmax, m/s",
    "days_apart": "Echo to RHC, days (absolute)",
    "loops": "Loops per exam",
}


def characteristics(exams: pd.DataFrame) -> pd.DataFrame:
    """Counts and values of the exams, overall, with and without PH, and by split.

    Values read "mean ± SD; median (n)", n being how many exams have the value.
    """
    groups = {
        "All": exams,
        "PH": exams[exams["mpap_mmhg"] > PH_LIMIT_MMHG],
        "No PH": exams[exams["mpap_mmhg"] <= PH_LIMIT_MMHG],
        **{name.capitalize(): exams[exams["split"] == name] for name in SPLITS},
    }
    return pd.DataFrame({name: _column(group) for name, group in groups.items()})


def distributions(exams: pd.DataFrame) -> bytes:
    """Histograms of mPAP, PVR and PAWP by split, as SVG."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    colours = {"train": "#4878a8", "validation": "#e0a030", "test": "#b04848"}
    for axis, target in zip(axes, ("mpap_mmhg", "pvr_wu", "pawp_mmhg"), strict=True):
        parts = [exams.loc[exams["split"] == name, target].dropna() for name in SPLITS]
        if any(len(part) for part in parts):
            axis.hist(
                parts, bins=20, stacked=True, label=SPLITS, color=[colours[name] for name in SPLITS]
            )
        axis.set_xlabel(MEASURED[target])
        axis.set_ylabel("Exams")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    out = io.BytesIO()
    # A fixed salt and no date: the same cohort gives the same bytes.
    with rc_context({"svg.hashsalt": "echonode"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _column(group: pd.DataFrame) -> dict[str, str]:
    female = int((group["sex"] == "F").sum())
    known = int(group["sex"].isin(["F", "M"]).sum())
    column = {
        "Subjects": str(group["patient_number"].nunique()),
        "Exams": str(len(group)),
        "Female": f"{female} of {known} known",
    }
    for name, title in MEASURED.items():
        values = group[name].abs().dropna()
        column[title] = (
            f"{values.mean():.1f} ± {values.std(ddof=0):.1f}; {values.median():.1f} ({len(values)})"
            if len(values)
            else "not known"
        )
    return column
