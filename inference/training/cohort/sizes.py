"""What a cohort is too small for, or too lopsided: the same when built, trained on and packed."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.cohort.reading import Cohort
from inference.training.cohort.rows import COLUMNS

#: Patients by split, below which a reader is warned. Training: the fewest that the recipe "phantom"
#: is accepted with. Validation and test: an interval of 90 % then holds 90 +- 6 % of them.
ADVISED: Mapping[str, int] = {"train": 150, "validation": 100, "test": 100}
#: What depends on how many patients a split has.
RESTS: Mapping[str, str] = {
    "train": "the model may learn little",
    "validation": "calibration and intervals depend on chance",
    "test": "figures have wide intervals",
}
#: Patients on each side of a target's limit: a share of 0.9 is then known to within about 0.11.
#: External validation asks for 100 (Collins et al, Stat Med 2016).
ADVISED_ON_A_SIDE = 30
#: What is not possible where nobody is on one side.
ONE_CLASS: Mapping[str, str] = {
    "train": "nothing shows the model that side",
    "validation": "no decision threshold and no probability can be fitted",
    "test": "AUC and one of sensitivity and specificity are undefined",
}


def warnings(measured: pd.DataFrame) -> list[str]:
    """At most three sentences: small splits, few patients on one side of a limit, and none.

    `measured` has a row per value of the catheter: `patient`, `split`, `target` and `value`, the
    latter in the target's unit. Only the splits that occur in it are judged.
    """
    splits = [split for split in ADVISED if (measured["split"] == split).any()]
    small = [told for split in splits if (told := _small(measured, split))]
    few, none = [], []
    for split in splits:
        sides = list(_sides(measured, split))
        few += [f"{count} in {split} with {side}" for side, count in sides if count]
        if absent := [side for side, count in sides if not count]:
            none.append(f"0 in {split} with {', '.join(absent)} ({ONE_CLASS[split]})")
    found = []
    if small:
        found.append(f"Small cohort: {', '.join(small)}.")
    if few:
        found.append(
            f"Fewer patients on one side of a limit than the {ADVISED_ON_A_SIDE} advised: "
            f"{', '.join(few)}; sensitivity, specificity, AUC and probabilities rest on them."
        )
    if none:
        found.append(f"Only one class in a split: {', '.join(none)}.")
    return found


def measured_in(exams: pd.DataFrame, targets: Sequence[str] = tuple(COLUMNS)) -> pd.DataFrame:
    """What `warnings` takes, of exams with patient_number, split and a column for each target."""
    wide = exams[["patient_number", "split", *(COLUMNS[name] for name in targets)]]
    named = wide.rename(
        columns={"patient_number": "patient", **{COLUMNS[name]: name for name in targets}}
    )
    return named.melt(["patient", "split"], var_name="target").dropna(subset="value")


def warnings_of(cohort: Cohort, targets: Sequence[str]) -> list[str]:
    """The warnings on a cohort that was built, for a model of these targets."""
    rows = [
        {"patient_number": each.patient_number, "split": each.split, **each.truth}
        for each in cohort.exams
    ]
    return warnings(measured_in(pd.DataFrame(rows), targets))


def _small(measured: pd.DataFrame, split: str) -> str:
    """Such as "48 patients in train (150 advised: ...)"; by target where their numbers differ."""
    mine = measured[measured["split"] == split]
    patients = {
        target: mine.loc[mine["target"] == target, "patient"].nunique()
        for target in measured["target"].unique()
    }
    short = {target: count for target, count in patients.items() if count < ADVISED[split]}
    if not short:
        return ""
    why = f"({ADVISED[split]} advised: {RESTS[split]})"
    (first, count), *others = short.items()
    if set(patients.values()) == {count}:
        return f"{count} patients in {split} {why}"
    more = "".join(f", {each} with {target}" for target, each in others)
    return f"{count} patients in {split} with {first}{more} {why}"


def _sides(measured: pd.DataFrame, split: str) -> Iterator[tuple[str, int]]:
    """Each side with fewer patients than advised, such as "mPAP <= 20", and how many they are."""
    for target in measured["target"].unique():
        limit = QUANTITIES[target].upper_limit
        rows = measured[(measured["split"] == split) & (measured["target"] == target)]
        if rows.empty:  # its lack of patients is told already
            continue
        for sign, chosen in ((">", rows["value"] > limit), ("<=", rows["value"] <= limit)):
            patients = rows.loc[chosen, "patient"].nunique()
            if patients < ADVISED_ON_A_SIDE:
                yield f"{target} {sign} {limit:g}", patients
