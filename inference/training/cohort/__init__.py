"""The cohort: which exams a model is made of, and their frames.

`build` makes one from an archive and a table of catheterisations, `read_cohort` opens it,
`cache_frames` and `CachedExams` feed training.
"""

from inference.training.cohort.building import CohortSummary, build
from inference.training.cohort.caching import cache_frames
from inference.training.cohort.frames import CachedExam, CachedExams
from inference.training.cohort.labels import TARGETS
from inference.training.cohort.reading import (
    Cohort,
    CohortExam,
    CohortLoop,
    pipeline_of,
    read_cohort,
)

__all__ = [
    "TARGETS",
    "CachedExam",
    "CachedExams",
    "Cohort",
    "CohortExam",
    "CohortLoop",
    "CohortSummary",
    "build",
    "cache_frames",
    "pipeline_of",
    "read_cohort",
]
