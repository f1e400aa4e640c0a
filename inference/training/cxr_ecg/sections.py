"""What a report of films and ECGs says beside what every report says."""

from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd
from matplotlib.figure import Figure as Picture

from inference.training.cxr_ecg.estimated import OTHER, WITHOUT
from inference.training.cxr_ecg.figures import NAMES, of_column
from inference.training.cxr_ecg.recipe import Member
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import Statistic
from inference.training.evaluation.plots import BLUE, PALE, RED
from inference.training.evaluation.section import Drawing, Section, Subject, Table

_PARTS = (
    "Networks of the same recipe that see the film alone or the ECG alone, and the first one with "
    "the training's usual ECG in place of the patient's. Estimates as the networks give them, "
    "before recalibration, on the test split; 95 % intervals by patient. Papers often call the "
    "squared correlation R\N{SUPERSCRIPT TWO}; it does not notice a wrong scale."
)
_CONTROLS = (
    "A model that reads the patient must fail here: with another patient's ECG it must be worse "
    "than the mean of everybody (R\N{SUPERSCRIPT TWO} below 0), and trained on exchanged labels it "
    "must know nothing (PCC about 0)."
)
_COURSES = (
    "Estimates with their intervals (blue) and the catheter's values (red) of patients who came "
    "again, at their test exams."
)
_MOST_COURSES, _COLUMNS = 12, 4


def parts(rows: pd.DataFrame, evaluation: Evaluation, _: Subject) -> Section:
    """Film and ECG against each alone; `rows` are the test exams of `read_estimates`."""
    columns = [name for name in (Member.FUSED, Member.FILM, Member.ECG, WITHOUT) if name in rows]
    found = {str(name): _figures(rows, str(name), evaluation) for name in columns}
    first = next(iter(found))
    gained = [
        [
            f"{first} against {name}",
            *(
                (found[first][key] - found[name][key]).figure().show(2)
                for key in ("determination", "mae")
            ),
        ]
        for name in list(found)[1:]
    ]
    compared = ["Difference", NAMES["determination"], NAMES["mae"]]
    return Section(
        "What film and ECG contribute",
        [_PARTS],
        [_table(found), *([Table(compared, gained)] if gained else [])],
        figures={"parts": {name: _plain(statistics) for name, statistics in found.items()}},
    )


def controls(rows: pd.DataFrame, evaluation: Evaluation, _: Subject) -> Section | None:
    """What must fail."""
    columns = [name for name in (OTHER, Member.SHUFFLED) if name in rows]
    found = {str(name): _figures(rows, str(name), evaluation) for name in columns}
    return Section(
        "Controls that must fail",
        [_CONTROLS],
        [_table(found)],
        figures={"controls": {name: _plain(statistics) for name, statistics in found.items()}},
    )


def courses(evaluation: Evaluation, _: Subject) -> Section | None:
    """Patients with several test exams, over time; nothing where there are none."""
    exams = evaluation.primary.exams
    again = exams[exams.duplicated("patient_id", keep=False)]
    if again.empty:
        return None
    ordered = again.sort_values(["patient_id", "exam_date"], kind="stable")
    changes = ordered.groupby("patient_id")[["truth", "reported"]].diff().dropna()
    error = float((changes["reported"] - changes["truth"]).abs().mean())
    typical = float(changes["truth"].abs().mean())
    patients = again["patient_id"].nunique()
    text = (
        f"{patients} patients have {len(again)} test exams. From one to the next the catheter's "
        f"value changes by {typical:.1f} mmHg on average; the estimate's change misses that by "
        f"{error:.1f} mmHg."
    )
    return Section(
        "Followed over time",
        [text],
        [Drawing("courses", _COURSES, _draw_courses(ordered))],
        figures={
            "courses": {
                "patients": patients,
                "exams": len(again),
                "mean_change_mmhg": typical,
                "mean_error_of_change_mmhg": error,
            }
        },
    )


def _draw_courses(ordered: pd.DataFrame) -> Picture:
    numbers = ordered["patient_id"].drop_duplicates().head(_MOST_COURSES)
    rows = -(-len(numbers) // _COLUMNS)
    figure = Picture(figsize=(10, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True).ravel()
    for axis in axes[len(numbers) :]:
        axis.axis("off")
    for axis, number in zip(axes, numbers, strict=False):
        mine = ordered[ordered["patient_id"] == number]
        days = pd.to_datetime(mine["exam_date"])
        years = (days - days.iloc[0]).dt.days.to_numpy(float) / 365.25
        low, value, high = (mine[name].to_numpy(float) for name in ("low", "reported", "high"))
        axis.vlines(years, low, high, color=PALE, lw=5)
        axis.plot(years, value, color=BLUE, marker="o", ms=4)
        axis.plot(years, mine["truth"].to_numpy(float), color=RED, marker="x", ms=5, ls=":")
        axis.set_title(str(number), fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("Years since the first test exam", fontsize=9)
    figure.supylabel("mPAP, mmHg", fontsize=9)
    return figure


def _figures(rows: pd.DataFrame, column: str, evaluation: Evaluation) -> dict[str, Statistic]:
    return of_column(rows, column, draws=evaluation.draws, seed=evaluation.seed)


def _table(found: Mapping[str, Mapping[str, Statistic]]) -> Table:
    """A row per figure and a column per network."""
    rows = [
        [title, *(statistics[key].figure().show() for statistics in found.values())]
        for key, title in NAMES.items()
    ]
    return Table(["Figure", *found], rows)


def _plain(statistics: dict[str, Statistic]) -> dict[str, object]:
    return {key: asdict(each.figure()) for key, each in statistics.items()}
