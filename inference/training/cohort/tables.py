"""The tables and the picture that a build leaves beside the index."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from inference.training.cohort.characteristics import characteristics, distributions
from inference.training.cohort.choosing import Choosing
from inference.training.cohort.flow import Step, exclusions
from inference.training.cohort.labels import Labels
from inference.training.output import write_whole


def write_exclusions(out: Path, steps: Sequence[Step], judged: pd.DataFrame, known: Labels) -> None:
    """What was left out and why: flow.csv, excluded_files.csv and rejected_rows.csv."""
    write_whole(
        out / "flow.csv", pd.DataFrame([asdict(step) for step in steps]).to_csv(index=False)
    )
    excluded = judged.loc[judged["excluded"] != "", ["path", "excluded"]]
    # What a rule found explains the exclusion only where that rule was the reason.
    detail = judged["detail"].where(judged["excluded"] == judged["reason"], "")
    table = excluded.rename(columns={"excluded": "reason"}).assign(detail=detail)
    write_whole(out / "excluded_files.csv", table.to_csv(index=False))
    columns = ["row", "left_out", "reason"]
    rejected = pd.DataFrame([asdict(row) for row in known.rejected], columns=columns)
    write_whole(out / "rejected_rows.csv", rejected.to_csv(index=False))


def describe(
    out: Path, exams: pd.DataFrame, loops: pd.DataFrame, steps: Sequence[Step], chosen: Choosing
) -> None:
    """Who is in the cohort: exclusions.csv, characteristics.csv and distributions.svg."""
    write_whole(out / "exclusions.csv", exclusions(steps, exams).to_csv(index=False))
    write_whole(
        out / "characteristics.csv", characteristics(exams, chosen.noun).to_csv(index_label="")
    )
    write_whole(out / "distributions.svg", distributions(exams, loops, chosen.noun))
