"""The pipelines of this package, as `pyproject.toml` registers them; free of torch."""

from inference.registry import Business, Registration
from inference.ultrasound.rules import ULTRASOUND_SOP_CLASS_UIDS

ECHO_HAEMODYNAMICS = Registration(
    Business(reads=ULTRASOUND_SOP_CLASS_UIDS, anchors=ULTRASOUND_SOP_CLASS_UIDS),
    "inference.pipelines.echo_haemodynamics:load",
)
