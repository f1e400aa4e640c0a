"""Who a model was trained on, in the few lines that its bundle carries: the paper's Table 1."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from statistics import fmean, median, pstdev

from inference.training.cohort.characteristics import PH_LIMIT_MMHG
from inference.training.cohort.reading import CohortExam

_MEASURED = (("mPAP, mmHg", "mpap_mmhg"), ("PVR, WU", "pvr_wu"), ("PAWP, mmHg", "pawp_mmhg"))
#: How many scanners are named.
_SCANNERS = 3


def population(exams: Sequence[CohortExam], inputs: str = "loops") -> dict[str, str]:
    """Name and value of each line; what is not known of any exam is left out.

    `inputs` is what an exam's instances are called.
    """
    patients = {exam.patient_number: exam for exam in exams}
    sexes = [exam.sex for exam in patients.values() if exam.sex in {"F", "M"}]
    with_ph = sum(exam.truth["mpap_mmhg"] > PH_LIMIT_MMHG for exam in exams)
    days = [abs(exam.days_apart) for exam in exams if isfinite(exam.days_apart)]
    scanners = Counter(exam.scanner for exam in exams if exam.scanner)
    lines = {
        "patients": str(len(patients)),
        "female patients": f"{sexes.count('F')} of {len(sexes)} known" if sexes else "",
        "age, years": _spread(exam.age_years for exam in exams),
        "exams with PH": f"{with_ph} of {len(exams)}",
        **{title: _spread(exam.truth[name] for exam in exams) for title, name in _MEASURED},
        "days between exam and catheter": f"median {median(days):.0f}" if days else "",
        f"{inputs} of an exam": f"median {median(len(exam.loops) for exam in exams):.0f}",
        "scanners": ", ".join(name for name, _ in scanners.most_common(_SCANNERS)),
    }
    return {name: value for name, value in lines.items() if value}


def _spread(values: Iterable[float]) -> str:
    """Mean and SD of the known values, and how many these are."""
    known = [value for value in values if isfinite(value)]
    return f"{fmean(known):.1f} ± {pstdev(known):.1f} (n = {len(known)})" if known else ""
