"""Which test exams get an estimate: those that hold enough evidence, as in the node."""

from dataclasses import replace

import numpy as np

from inference.training.evaluation.calibration import Calibration
from inference.training.evaluation.coverage import judged
from inference.training.evaluation.predictions import Predictions, Unestimated


def as_reported(predictions: Predictions, fitted: Calibration) -> Predictions:
    """The predictions without estimates of test exams whose loops hold too little evidence."""
    exams = predictions.exams.copy()
    for target in predictions.targets:
        rows = judged(predictions, predictions.rows("test", target), fitted, target)
        scarce = exams["exam_id"].isin(rows.loc[~rows["enough"], "exam_id"])
        without = scarce & (exams["target"] == target) & exams["estimate"].notna()
        exams.loc[without, ["estimate", "unestimated"]] = (
            np.nan,
            Unestimated.LITTLE_EVIDENCE.value,
        )
    return replace(predictions, exams=exams)
