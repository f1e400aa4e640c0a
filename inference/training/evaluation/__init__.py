"""How good a model is: predictions judged on the test split, calibrated on validation.

`Predictions` is what training hands over, `evaluate` judges it, `write_report` shows it, and
`fit` makes the calibration that a bundle carries.
"""

from inference.training.evaluation.calibration import Calibration, TargetCalibration, fit
from inference.training.evaluation.evaluating import Evaluation, evaluate
from inference.training.evaluation.predictions import Predictions
from inference.training.evaluation.report import flat_figures, limitations, write_report
from inference.training.evaluation.section import Subject

__all__ = [
    "Calibration",
    "Evaluation",
    "Predictions",
    "Subject",
    "TargetCalibration",
    "evaluate",
    "fit",
    "flat_figures",
    "limitations",
    "write_report",
]
