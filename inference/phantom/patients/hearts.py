"""The ECGs of a visit: one heart, recorded once for each appointment."""

from dataclasses import replace

import numpy as np

from inference.phantom.ecg.signal import Ecg, draw_ecg, recorded
from inference.phantom.patient import draw_patient
from inference.phantom.patients.appointments import Appointment
from inference.phantom.presets import preset_named
from inference.phantom.visits import Visit

_HEART, _RECORDING = 32, 33
_MAINS_HZ = 50


def draw_recording(
    preset: str, seed: int, visit: Visit, appointment: Appointment, seconds: float
) -> Ecg:
    """Draw the ECG of one appointment.

    Raises:
        ValueError: there is no preset of this name.
    """
    truth = draw_patient(seed, visit.patient, visit.return_visit).truth
    of_heart = np.random.default_rng([seed, visit.exam, _HEART])
    drawn = draw_ecg(truth, of_heart, preset_named(preset), seconds=1.0)
    on_the_day = np.random.default_rng([seed, visit.exam, _RECORDING, appointment.number])
    leads = recorded(drawn.heart, on_the_day, seconds, _MAINS_HZ)
    return replace(drawn, leads=leads)
