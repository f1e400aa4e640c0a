"""Subgroups by what is known of patient, scanner and exam: for whom the model does how well.

The groupings are fixed here and not chosen by their result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.metrics import (
    FEWEST_PATIENTS,
    Figure,
    agreement,
    mean,
    resample,
    summarise,
)
from inference.training.evaluation.section import Section, Subject, Table
from inference.training.evaluation.wording import NO_FIGURE, unit

#: Of scanners, sites and qualities; those with fewer exams are counted together.
MOST_GROUPS = 10
OTHERS = "all others"

_FIGURES = ("mae", "bias", "pcc", "coverage")
_SEXES = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class Group:
    """One target in one group of test exams; `figures` is empty below ten patients."""

    grouping: str
    group: str
    target: str
    exams: int
    patients: int
    figures: Mapping[str, Figure]


def compare(evaluation: Evaluation) -> list[Group]:
    """Error, bias, correlation and coverage of the reported estimates, by every grouping.

    A grouping in which fewer than two groups are known is left out.
    """
    return [
        _judge(title, group, target, rows, evaluation)
        for target, result in evaluation.targets.items()
        for title, grouping in GROUPINGS.items()
        for group, rows in _grouped(result.exams, grouping)
    ]


def section(evaluation: Evaluation, _: Subject) -> Section | None:
    """The groups as tables, one a target; None where nothing is known of the exams."""
    found = compare(evaluation)
    if not found:
        return None
    shown = {item.grouping for item in found}
    unknown = [title.lower() for title in GROUPINGS if title not in shown]
    absent = f" Not known, or the same for all: {', '.join(unknown)}." if unknown else ""
    groups = len({(item.grouping, item.group) for item in found})
    return Section(
        "For whom it does how well",
        [
            (
                "Errors of the reported estimates, in brackets the 95 % interval; no figures below "
                f"{FEWEST_PATIENTS} patients.{absent}"
            ),
            (
                f"Among {groups} groups some look better or worse by chance alone. The groups were "
                "fixed beforehand and none was searched for; a difference is a question to more "
                "exams, not a finding."
            ),
        ],
        [
            _table(target, [item for item in found if item.target == target])
            for target in evaluation.targets
        ],
        figures={"groups": [asdict(item) for item in found]},
    )


def _judge(
    title: str, group: str, target: str, rows: pd.DataFrame, evaluation: Evaluation
) -> Group:
    patients = rows["patient_id"].nunique()
    figures: dict[str, Figure] = {}
    if patients >= FEWEST_PATIENTS:
        truth, value = rows["truth"].to_numpy(float), rows["reported"].to_numpy(float)
        sample = resample(rows["patient_id"], draws=evaluation.draws, seed=evaluation.seed)
        inside = (rows["low"].to_numpy(float) <= truth) & (truth <= rows["high"].to_numpy(float))
        statistics = {**agreement(truth, value, sample), "coverage": mean(inside, sample)}
        figures = summarise({name: statistics[name] for name in _FIGURES})
    return Group(title, group, target, len(rows), patients, figures)


def _table(target: str, found: Sequence[Group]) -> Table:
    rows = []
    for item in found:
        shown = [NO_FIGURE] * len(_FIGURES)
        if item.figures:
            decimals = {"mae": 1, "bias": 1}
            shown = [item.figures[name].show(decimals.get(name, 2)) for name in _FIGURES]
        name = f"{item.grouping}: {item.group}"
        rows.append([name, str(item.exams), str(item.patients), *shown])
    of = unit(target)
    head = ["Group", "Exams", "Patients", f"MAE, {of}", f"Bias, {of}", "PCC", "Interval covers"]
    return Table(head, rows, target)


def _grouped(exams: pd.DataFrame, grouping: "Grouping") -> list[tuple[str, pd.DataFrame]]:
    labels = grouping(exams)
    known = [group for group in labels.cat.categories if (labels == group).any()]
    return [(str(group), exams[labels == group]) for group in known] if len(known) > 1 else []


#: From exams to a categorical of group names in the order of reading, missing where unknown.
Grouping = Callable[[pd.DataFrame], "pd.Series[str]"]


def _named(column: str, names: Mapping[str, str] | None = None) -> Grouping:
    """Groups of equal text, the largest first."""

    def grouped(exams: pd.DataFrame) -> "pd.Series[str]":
        texts = exams[column].map(names) if names else exams[column].replace("", np.nan)
        counts = texts.value_counts()
        ordered = sorted(counts.index, key=lambda text: (-counts[text], text))
        if len(ordered) > MOST_GROUPS:
            kept = ordered[: MOST_GROUPS - 1]
            texts = texts.where(texts.isin(kept) | texts.isna(), OTHERS)
            ordered = [*kept, OTHERS]
        return pd.Series(pd.Categorical(texts, ordered), index=exams.index)

    return grouped


def _banded(column: str, bands: Mapping[str, float]) -> Grouping:
    """Groups of a number's size; `bands` has for each name its largest value."""

    def grouped(exams: pd.DataFrame) -> "pd.Series[str]":
        sizes = exams[column].astype(float).abs()
        cut = pd.cut(sizes, [-1, *bands.values()], labels=list(bands))
        return pd.Series(cut, index=exams.index)

    return grouped


_LARGEST = float("inf")
GROUPINGS: Mapping[str, Grouping] = {
    "Sex": _named("sex", _SEXES),
    "Age": _banded(
        "age_years",
        {"under 40": 39.99, "40 to 59": 59.99, "60 to 74": 74.99, "75 and over": _LARGEST},
    ),
    "Scanner": _named("scanner"),
    "Site": _named("site"),
    "Image quality": _named("quality"),
    "Days between exam and catheter": _banded(
        "days_apart", {"same day": 0, "1 to 7": 7, "8 to 30": 30, "31 and more": _LARGEST}
    ),
    "Loops": _banded("loops", {"1 or 2": 2, "3 to 5": 5, "6 to 10": 10, "11 and more": _LARGEST}),
}
