"""One synthetic ECG for tests."""

from datetime import date

import numpy as np

from inference.phantom import haemodynamics
from inference.phantom.ecg import draw_ecg
from inference.phantom.ecg.signal import Ecg
from inference.phantom.presets import PRESETS
from inference.phantom.writing import StudyTags

STUDY = StudyTags("tests/ecg", "PHANTOM-ECG", date(2024, 1, 15))


def drawn(mpap_mmhg: float = 45.0, *, seed: int = 1, seconds: float = 10.0) -> Ecg:
    """The ECG of a typical patient at this pressure."""
    rng = np.random.default_rng(seed)
    state = haemodynamics.expected(mpap_mmhg)
    return draw_ecg(state, rng, PRESETS["easy"], seconds=seconds)
