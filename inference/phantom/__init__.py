"""Synthetic labelled echo studies: valid DICOM that looks like echo and belongs to nobody.

Figures reached on the phantom prove that a recipe runs and learns; they say nothing about patients.
"""

from inference.phantom.exams import ExamArrays, exam_at, make_exam
from inference.phantom.haemodynamics import Haemodynamics
from inference.phantom.making import make, make_study
from inference.phantom.presets import PRESETS, Preset
from inference.phantom.scanners import SCANNERS
from inference.phantom.sizes import SIZES, Size

__all__ = [
    "PRESETS",
    "SCANNERS",
    "SIZES",
    "ExamArrays",
    "Haemodynamics",
    "Preset",
    "Size",
    "exam_at",
    "make",
    "make_exam",
    "make_study",
]
