"""From an archive and a table of catheterisations to a cohort."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from inference.errors import TrainingDataError
from inference.training.cohort.choosing import Choosing, choosing
from inference.training.cohort.flow import Step, exclude
from inference.training.cohort.index import open_index, set_meta
from inference.training.cohort.labels import NUMBERS, QUALITY, Labels, read_labels
from inference.training.cohort.matching import match, other_patient_ids
from inference.training.cohort.pairing import newest_of_study, paired, with_companions
from inference.training.cohort.scan import Progress, scan, silent
from inference.training.cohort.sizes import measured_in, warnings
from inference.training.cohort.splitting import (
    SHARES,
    SPLITS,
    SplitBy,
    order,
    split_by_date,
    split_by_site,
    split_patients,
)
from inference.training.cohort.tables import describe, write_exclusions
from inference.training.output import write_whole
from inference.training.trainable import ECHO
from inference.ultrasound.profile import Profile

#: Those of the index that decide what is trained and judged, and so the cohort's digest.
DECIDING = [
    "exam_id",
    "patient_number",
    "patient_id",
    "study_instance_uid",
    "split",
    "exam_date",
    "rhc_date",
    "days_apart",
    "sex",
    "age_years",
    *NUMBERS,
]
EXAM_COLUMNS = [*DECIDING, "scanner", "site", "quality"]


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """What a build made; `sha256` changes with any label, split or loop of the cohort."""

    folder: Path
    sha256: str
    subjects: Mapping[str, int]
    exams: Mapping[str, int]
    loops: Mapping[str, int]
    flow: tuple[Step, ...]
    rejected_rows: int
    rejected_cells: int
    excluded_files: int
    window_days: int
    seed: int
    pipeline: str = ECHO
    selection: Profile = Profile.PAPER
    split_by: SplitBy = SplitBy.PATIENT
    sites: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a reader must know: how the labels were read, and what the cohort is too small for."""


def build(  # noqa: PLR0913 - what `echonode cohort build` may be told
    dicom: Path,
    labels: Path,
    out: Path,
    *,
    pipeline: str = ECHO,
    window_days: int | None = None,
    seed: int,
    split: Sequence[float] = SHARES,
    split_by: SplitBy = SplitBy.PATIENT,
    test_sites: Sequence[str] = (),
    selection: Profile = Profile.PAPER,
    units_checked: bool = False,
    jobs: int = 1,
    on_progress: Progress = silent,
) -> CohortSummary:
    """Build the cohort in the folder `out`; run again after an interruption, it goes on.

    `pipeline` is the one that a model is made for; `selection` says by which rules its loops are
    chosen, where it looks at loops; a bundle that is trained on them says so. `window_days` lie at
    most between exam and catheter; None: as the pipeline's paper has it.
    `split` are the shares of training, validation and test; `test_sites` are Institution Names or
    Station Names, for a split by site. `units_checked` builds although the labels look as if in
    other units.

    Leaves there: cohort.sqlite, flow.csv (every step, the paper's Table 4 among them),
    exclusions.csv (Table 3), excluded_files.csv, rejected_rows.csv, characteristics.csv (Table 1),
    distributions.svg (Figure 4), summary.json.

    Raises:
        TrainingDataError: labels that cannot be used, no archive, or no exam left.
    """
    chosen = choosing(pipeline, selection)
    window_days = chosen.window_days if window_days is None else window_days
    known = read_labels(labels, units_checked=units_checked)
    with open_index(out, create=True, chosen_by=chosen.key) as index:
        scan(dicom, index, select=chosen.select, jobs=jobs, on_progress=on_progress)
        instances, companions = _instances(index, chosen)
        instances = _with_labels(instances, known)
        steps, judged = exclude(instances, chosen, window_days)
        write_exclusions(out, steps, judged, known)
        loops = judged[judged["excluded"] == ""]
        if loops.empty:
            last = next(step for step in steps if step.files == 0)
            raise TrainingDataError(
                f"cohort: no exam is left after the step '{last.step}'; see flow.csv in {out}"
                + "".join(f"; {note}" for note in other_patient_ids(instances, known.table))
            )
        parts = _split(loops, split_by, test_sites, seed=seed, shares=split)
        exams, loops, sites = _numbered(loops, parts, seed)
        loops = with_companions(loops, companions)
        sha256 = _digest(exams, loops, known, window_days)
        meta = {
            "archive": str(dicom.resolve()),
            "sha256": sha256,
            "pipeline": pipeline,
            "selection": selection.value,
        }
        _store(index, exams, loops, sites, meta)
    summary = CohortSummary(
        folder=out,
        sha256=sha256,
        subjects=_by_split(exams.drop_duplicates("patient_number")),
        exams=_by_split(exams),
        loops=_by_split(loops),
        flow=tuple(steps),
        rejected_rows=len({item.row for item in known.rejected if item.left_out == "row"}),
        rejected_cells=sum(item.left_out == "cell" for item in known.rejected),
        excluded_files=int((judged["excluded"] != "").sum()),
        window_days=window_days,
        seed=seed,
        pipeline=pipeline,
        selection=selection,
        split_by=split_by,
        sites={site: int((exams["site"] == site).sum()) for site in sites},
        notes=(
            *known.notes,
            *other_patient_ids(instances, known.table),
            *warnings(measured_in(exams)),
        ),
    )
    describe(out, exams, loops, steps, chosen)
    facts = {key: value for key, value in asdict(summary).items() if key != "folder"}
    write_whole(out / "summary.json", json.dumps(facts, indent=2) + "\n")
    return summary


def _instances(index: sqlite3.Connection, chosen: Choosing) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The files that may make exams, and those that may only stand beside one."""
    found = pd.read_sql_query("SELECT * FROM instance ORDER BY path", index)
    for column in ("age_years", "duration_ms"):  # all may be unknown
        found[column] = found[column].astype(float)
    beside = found["sop_class_uid"].isin(chosen.companions)
    instances, companions = found[~beside].reset_index(drop=True), found[beside]
    if not chosen.companions:
        return instances.assign(companion="", newest=True), companions
    return (
        instances.assign(
            companion=paired(instances, companions, chosen.pair_days),
            newest=newest_of_study(instances),
        ),
        companions,
    )


def _with_labels(instances: pd.DataFrame, known: Labels) -> pd.DataFrame:
    """Each file with its exam's nearest catheterisation."""
    dated = instances[(instances["exam_date"] != "") & (instances["patient_id"] != "")]
    exams = dated[["patient_id", "study_instance_uid", "exam_date"]].drop_duplicates(
        ["study_instance_uid"]
    )
    exams = exams.assign(exam_date=pd.to_datetime(exams["exam_date"], errors="coerce"))
    matched = match(exams.dropna(subset="exam_date"), known.table)
    matched = matched.rename(columns={"sex": "stated_sex"})
    columns = [
        *("study_instance_uid", "rhc_date", "days_apart", "who_class", "stated_sex"),
        *NUMBERS,
        QUALITY,
    ]
    found = instances.merge(matched[columns], on="study_instance_uid", how="left")
    # The files come first: the table fills in what they do not state.
    found["sex"] = found["sex"].where(found["sex"] != "", found["stated_sex"].fillna(""))
    return found


def _split(
    loops: pd.DataFrame,
    split_by: SplitBy,
    test_sites: Sequence[str],
    *,
    seed: int,
    shares: Sequence[float],
) -> dict[str, str]:
    """Each patient's split."""
    if test_sites and split_by is not SplitBy.SITE:
        raise TrainingDataError("split: test sites are given, but the split is not by site")
    by_patient = loops.groupby("patient_id")
    if split_by is SplitBy.DATE:
        latest = {str(each): str(day) for each, day in by_patient["exam_date"].max().items()}
        return split_by_date(latest, seed=seed, shares=shares)
    if split_by is SplitBy.SITE:
        named = {
            str(patient): {*rows["institution"], *rows["station"]} for patient, rows in by_patient
        }
        return split_by_site(named, test_sites, seed=seed, shares=shares)
    return split_patients(loops["patient_id"], seed=seed, shares=shares)


def _numbered(
    loops: pd.DataFrame, parts: Mapping[str, str], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Exams, their loops and the sites' names, under numbers that carry no identity."""
    shuffled = sorted(parts, key=lambda patient_id: order(patient_id, seed))
    numbers = {patient_id: f"P{n:04d}" for n, patient_id in enumerate(shuffled, start=1)}
    loops = loops.assign(
        patient_number=loops["patient_id"].map(numbers), split=loops["patient_id"].map(parts)
    ).sort_values(["patient_number", "exam_date", "study_instance_uid", "sop_instance_uid"])
    exam_number = loops.groupby("study_instance_uid", sort=False).ngroup() + 1
    loops["exam_id"] = exam_number.map("E{:05d}".format)
    loops["position"] = loops.groupby("exam_id").cumcount()
    by_exam = loops.groupby("exam_id")
    exams = loops.drop_duplicates("exam_id").reset_index(drop=True)
    exams["loops"] = exams["exam_id"].map(by_exam.size())
    exams["rhc_date"] = exams["rhc_date"].dt.strftime("%Y-%m-%d")
    exams["days_apart"] = exams["days_apart"].astype(int)
    exams["quality"] = exams[QUALITY].fillna("")
    exams["scanner"] = exams["exam_id"].map(by_exam[["manufacturer", "model"]].apply(_scanner))
    names = exams["exam_id"].map(by_exam[["institution", "station"]].apply(_site_name))
    sites = {f"S{n:02d}": name for n, name in enumerate(sorted(set(names) - {""}), start=1)}
    numbered = {name: site for site, name in sites.items()}
    exams["site"] = [numbered.get(name, "") for name in names]
    return exams, loops.reset_index(drop=True), sites


def _scanner(loops: pd.DataFrame) -> str:
    """Maker and model of most of an exam's loops."""
    maker, model = _most_frequent(loops["manufacturer"]), _most_frequent(loops["model"])
    return model if maker.casefold() in model.casefold() else f"{maker} {model}".strip()


def _site_name(loops: pd.DataFrame) -> str:
    """The institution of most of an exam's loops, or the station where none is named."""
    return _most_frequent(loops["institution"]) or _most_frequent(loops["station"])


def _most_frequent(texts: "pd.Series[str]") -> str:
    """Of those that are not empty, on one line; of equally frequent ones the alphabet's first."""
    plain = [" ".join(text.split()) for text in texts]
    return min(filter(None, plain), key=lambda text: (-plain.count(text), text), default="")


def _digest(exams: pd.DataFrame, loops: pd.DataFrame, known: Labels, window_days: int) -> str:
    content = {
        "exams": exams[DECIDING].to_csv(index=False),
        "loops": loops[["exam_id", "sop_instance_uid", "plan"]].to_csv(index=False),
        "labels": known.sha256,
        "window_days": window_days,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _store(
    index: sqlite3.Connection,
    exams: pd.DataFrame,
    loops: pd.DataFrame,
    sites: Mapping[str, str],
    facts: Mapping[str, str],
) -> None:
    """Replace the cohort in one transaction."""
    with index:
        index.execute("DELETE FROM loop")
        index.execute("DELETE FROM exam")
        index.execute("DELETE FROM site")
        _insert(index, "exam", exams[EXAM_COLUMNS])
        _insert(index, "loop", loops[["exam_id", "position", "path", "sop_instance_uid", "plan"]])
        index.executemany("INSERT INTO site VALUES (?, ?)", sites.items())
        for key, value in facts.items():
            set_meta(index, key, value)


def _insert(index: sqlite3.Connection, table: str, rows: pd.DataFrame) -> None:
    places = ", ".join("?" * len(rows.columns))
    values = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    index.executemany(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608  # our names


def _by_split(rows: pd.DataFrame) -> dict[str, int]:
    counts = rows["split"].value_counts()
    return {name: int(counts.get(name, 0)) for name in SPLITS}
