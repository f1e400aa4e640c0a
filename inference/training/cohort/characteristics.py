"""Who the cohort is: the paper's Table 1 as a table and its Figure 4 as histograms."""

import io
import json

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inference.training.cohort.splitting import SPLITS

#: 2022 ESC/ERS Guidelines: pulmonary hypertension is an mPAP above 20 mmHg.
PH_LIMIT_MMHG = 20

WHO_CLASSES = ("I", "II", "III", "IV")
COLOURS = {"train": "#4878a8", "validation": "#e0a030", "test": "#b04848"}

MEASURED = {
    "age_years": "Age, years",
    "days_apart": "{Noun} to RHC, days (absolute)",
    "mpap_mmhg": "mPAP, mmHg",
    "pawp_mmhg": "PAWP, mmHg",
    "pvr_wu": "PVR, WU",
    "trvmax_m_s": "TRVmax, m/s",
    "loops": "{inputs} per exam",
}
#: What Figure 4 and ours show of a loop; see `loop_sizes`.
SIZES = {
    "width_px": "Sector width, px",
    "height_px": "Sector height, px",
    "duration_s": "Loop duration, s",
}


def _title(text: str, noun: str) -> str:
    """A title with the exam's noun, such as "echo": its inputs are then loops."""
    capital = noun[:1].upper() + noun[1:]
    inputs = "Loops" if noun == "echo" else f"{capital}s"
    return text.format(Noun=capital, inputs=inputs)


def characteristics(exams: pd.DataFrame, noun: str = "echo") -> pd.DataFrame:
    """Table 1: counts and values of the exams, overall, with and without PH, and by split.

    Values read "mean ± SD; median; missing n", shares are of all that are counted.
    """
    groups = {
        "All": exams,
        "PH": exams[exams["mpap_mmhg"] > PH_LIMIT_MMHG],
        "No PH": exams[exams["mpap_mmhg"] <= PH_LIMIT_MMHG],
        **{name.capitalize(): exams[exams["split"] == name] for name in SPLITS},
    }
    return pd.DataFrame({name: _column(group, noun) for name, group in groups.items()})


def loop_sizes(loops: pd.DataFrame) -> pd.DataFrame:
    """Width, height and duration of each loop's sector, with its split.

    `loops` has `plan` (JSON), `duration_ms` (NaN where not known) and `split`.
    """
    bounds = [json.loads(plan).get("bounds", [0, 0, -1, -1]) for plan in loops["plan"]]
    return pd.DataFrame(
        {
            "split": loops["split"].to_numpy(),
            "width_px": [float(x1 - x0 + 1) for x0, _, x1, _ in bounds],
            "height_px": [float(y1 - y0 + 1) for _, y0, _, y1 in bounds],
            "duration_s": loops["duration_ms"].to_numpy(dtype=float) / 1000,
        }
    )


def distributions(exams: pd.DataFrame, loops: pd.DataFrame, noun: str = "echo") -> bytes:
    """Histograms by split, as SVG: targets and days apart of exams; Figure 4's of loops."""
    of_loops = loop_sizes(loops) if noun == "echo" else None
    figure = Figure(figsize=(13, 6.2), layout="constrained")
    first, second = figure.subplots(2, 4)
    of_exams = {name: MEASURED[name] for name in ("mpap_mmhg", "pvr_wu", "pawp_mmhg", "days_apart")}
    for axis, (name, title) in zip(first, of_exams.items(), strict=True):
        signed = f"Days from RHC to {noun}" if name == "days_apart" else title
        _histogram(axis, exams, name, signed, "Exams")
    _histogram(second[0], exams, "loops", _title(MEASURED["loops"], noun), "Exams")
    for axis, (name, title) in zip(second[1:], SIZES.items(), strict=True):
        if of_loops is None:
            axis.axis("off")
        else:
            _histogram(axis, of_loops, name, title, "Loops")
    first[0].legend(frameon=False)
    out = io.BytesIO()
    # A fixed salt and no date: the same cohort gives the same bytes.
    with rc_context({"svg.hashsalt": "echonode"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _histogram(axis: Axes, rows: pd.DataFrame, column: str, title: str, counted: str) -> None:
    parts = [rows.loc[rows["split"] == name, column].dropna() for name in SPLITS]
    if any(len(part) for part in parts):
        axis.hist(
            parts, bins=20, stacked=True, label=SPLITS, color=[COLOURS[name] for name in SPLITS]
        )
    axis.set_xlabel(title)
    axis.set_ylabel(counted)
    axis.spines[["top", "right"]].set_visible(False)


def _column(group: pd.DataFrame, noun: str) -> dict[str, str]:
    subjects = group.drop_duplicates("patient_number")
    column = {
        "Subjects": str(len(subjects)),
        "Female, subjects": _share(subjects["sex"] == "F"),
        "Sex missing, subjects": _share(~subjects["sex"].isin(["F", "M", "O"])),
        "Exams": str(len(group)),
    }
    for who in WHO_CLASSES:
        column[f"WHO functional class {who}"] = _share(group["who_class"] == who)
    column["WHO functional class missing"] = _share(~group["who_class"].isin(WHO_CLASSES))
    for name, title in MEASURED.items():
        column[_title(title, noun)] = _summary(group[name].abs())
    column[_title("{Noun} first", noun)] = _share(group["days_apart"] < 0)
    column["RHC first"] = _share(group["days_apart"] > 0)
    column["Same day"] = _share(group["days_apart"] == 0)
    return column


def _share(flags: "pd.Series[bool]") -> str:
    return f"{int(flags.sum())} ({100 * flags.mean():.0f} %)" if len(flags) else "0"


def _summary(values: "pd.Series[float]") -> str:
    known = values.dropna()
    missing = f"missing {len(values) - len(known)}"
    if known.empty:
        return f"not known; {missing}"
    spread = f" ± {known.std():.1f}" if len(known) > 1 else ""
    return f"{known.mean():.1f}{spread}; median {known.median():.1f}; {missing}"
