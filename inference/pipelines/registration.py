"""The pipelines of this package, as `pyproject.toml` registers them; free of torch."""

from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS, NOT_RESTING, WITHOUT_SAMPLES
from inference.registry import Business, Registration
from inference.ultrasound.rules import ULTRASOUND_SOP_CLASS_UIDS

ECHO_HAEMODYNAMICS = Registration(
    Business(reads=ULTRASOUND_SOP_CLASS_UIDS, anchors=ULTRASOUND_SOP_CLASS_UIDS),
    "inference.pipelines.echo_haemodynamics:load",
)
#: It reads what is no usable ECG too, to say what to send in its place.
ECG_PH = Registration(
    Business(
        reads=ECG_SOP_CLASS_UIDS | NOT_RESTING.keys() | WITHOUT_SAMPLES.keys(),
        anchors=ECG_SOP_CLASS_UIDS,
        quiet_s=3.0,  # an ECG comes alone
    ),
    "inference.pipelines.ecg_ph:load",
)
