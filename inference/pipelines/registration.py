"""The pipelines of this package, as `pyproject.toml` registers them; free of torch."""

from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS, NOT_RESTING, WITHOUT_SAMPLES
from inference.radiograph.rules import (
    COMPUTED_RADIOGRAPHY,
    FOR_PRESENTATION,
    RADIOGRAPH_SOP_CLASS_UIDS,
)
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
#: A film that was captured elsewhere is looked at, but makes no study one of X-rays.
CXR_ECG = Registration(
    Business(
        reads=RADIOGRAPH_SOP_CLASS_UIDS | ECG_SOP_CLASS_UIDS | WITHOUT_SAMPLES.keys(),
        anchors=frozenset({COMPUTED_RADIOGRAPHY, FOR_PRESENTATION}),
        reach_days=7,
        companions=ECG_SOP_CLASS_UIDS | WITHOUT_SAMPLES.keys(),
    ),
    "inference.pipelines.cxr_ecg:load",
)
