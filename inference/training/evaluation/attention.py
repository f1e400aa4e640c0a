"""Which loops the model attends to, beside what leaving them out changes.

The paper (its section 2.4) reads attention as relevance. A high weight does not say that a loop
informs the estimate, so the change without the loop stands beside every weight.
"""

from dataclasses import dataclass

import pandas as pd
from scipy import stats

from inference.training.evaluation.predictions import Predictions

#: How many loops the paper's Figure 3 shows of each end.
LISTED = 16


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention of the test exams for one target.

    `loops`: one row a loop with `relative` (weight x loops of its exam; 1 is an equal share) and
    `change` (size of the leave-one-out effect, target's unit). `views` and `qualities`: the same
    by group, empty where nobody noted them. `highest` and `lowest` are the paper's Figure 3: of the
    exams' top loops those of the highest raw score, which is comparable across exams, and of the
    exams' bottom loops those of the lowest. `rank_correlation`: Spearman's, of relative weight and
    change.
    """

    target: str
    loops: pd.DataFrame
    views: pd.DataFrame
    qualities: pd.DataFrame
    highest: pd.DataFrame
    lowest: pd.DataFrame
    rank_correlation: float | None


def analyse(predictions: Predictions, target: str) -> Attention | None:
    """Analyse the test split's loops; None where no loops were recorded for the target."""
    test = set(predictions.exams.loc[predictions.exams["split"] == "test", "exam_id"])
    loops = predictions.used_loops
    loops = loops[(loops["target"] == target) & loops["exam_id"].isin(test)].copy()
    if loops.empty:
        return None
    by_exam = loops.groupby("exam_id")["weight"]
    loops["relative"] = loops["weight"] * by_exam.transform("size")
    loops["change"] = loops["effect"].abs()
    loops["top"] = loops.index.isin(by_exam.idxmax())
    loops["bottom"] = loops.index.isin(by_exam.idxmin()) & (by_exam.transform("size") > 1)
    ranked = loops.sort_values(["score", "exam_id", "loop"], ascending=[False, True, True])
    # The only loop of an exam cannot be left out: it has no change.
    known = loops.dropna(subset=["change"])
    varied = known["relative"].nunique() > 1 and known["change"].nunique() > 1
    return Attention(
        target,
        loops,
        _grouped(loops, "view"),
        _grouped(loops, "quality"),
        ranked[ranked["top"]].head(LISTED),
        ranked[ranked["bottom"]].tail(LISTED).iloc[::-1],
        float(stats.spearmanr(known["relative"], known["change"]).statistic) if varied else None,
    )


def _grouped(loops: pd.DataFrame, column: str) -> pd.DataFrame:
    """Per group: loops, mean relative weight, mean change, in how many exams highest or lowest."""
    known = loops[loops[column] != ""]
    table = known.groupby(column).agg(
        loops=("relative", "size"),
        relative=("relative", "mean"),
        change=("change", "mean"),
        top=("top", "sum"),
        bottom=("bottom", "sum"),
    )
    return table.sort_values("relative", ascending=False)
