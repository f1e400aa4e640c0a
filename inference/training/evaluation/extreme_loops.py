"""The paper's Figure 3: the exams' top loops of highest score, and bottom loops of lowest."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from inference.training.evaluation.attention import LISTED
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.section import Section, Subject, Table
from inference.training.evaluation.wording import NO_FIGURE, unit

NOT_NOTED = "not noted"


def section(evaluation: Evaluation, _: Subject) -> Section | None:
    """How many of either end show which view in which quality, and the loops themselves."""
    found = evaluation.attention
    if found is None or found.highest.empty:
        return None
    ends = {"highest": found.highest, "lowest": found.lowest}
    counted = {column: counts(ends, column) for column in ("view", "quality")}
    return Section(
        "The loops at both ends of the attention",
        [
            f"Of the loops that weigh most in their exam, the {len(found.highest)} of the highest "
            f"raw score; of those that weigh least, the {len(found.lowest)} of the lowest. Raw "
            "scores compare across exams, weights do not. "
            + ("" if len(found.highest) == LISTED else f"The paper shows {LISTED} of each.")
        ],
        [
            *(
                Table(
                    [column.capitalize(), "Of the highest", "Of the lowest"],
                    [[name, *map(str, row)] for name, row in table.items()],
                )
                for column, table in counted.items()
                if set(table) != {NOT_NOTED}
            ),
            *(_listed(rows, end, found.target) for end, rows in ends.items() if len(rows)),
        ],
        figures={"extreme_loops": {"loops": LISTED, **counted}},
    )


def counts(ends: Mapping[str, pd.DataFrame], column: str) -> dict[str, list[int]]:
    """View or quality -> how many loops of each end show it, the most frequent first."""
    told = {end: rows[column].replace("", NOT_NOTED).astype(str) for end, rows in ends.items()}
    total = pd.concat(list(told.values())).value_counts()
    names = sorted((str(name) for name in total.index), key=lambda name: (-total[name], name))
    return {name: [int((rows == name).sum()) for rows in told.values()] for name in names}


def _listed(rows: pd.DataFrame, end: str, target: str) -> Table:
    head = ["Exam", "Loop", "View", "Quality", "Score", "Attention", f"Effect, {unit(target)}"]
    return Table(
        head,
        [_loop(row) for _, row in rows.iterrows()],
        f"The {len(rows)} loops with the {end} raw score",
    )


def _loop(row: "pd.Series[Any]") -> list[str]:
    return [
        str(row["exam_id"]),
        str(row["loop"]),
        str(row["view"]) or NO_FIGURE,
        str(row["quality"]) or NO_FIGURE,
        f"{row['score']:.2f}",
        f"{row['relative']:.2f}",
        f"{row['effect']:+z.2f}",
    ]
