"""What reports of echo_haemodynamics call things."""

from collections.abc import Iterable
from dataclasses import replace

from inference.types import Code, InstanceRef, Words
from inference.ultrasound.rules import ULTRASOUND_SOP_CLASS_UIDS

WORDS = Words(
    noun="loop",
    nouns="loops",
    reference="catheter value",
    reservation=(
        "Estimated from B-mode loops, not measured invasively; does not replace right heart "
        "catheterisation."
    ),
    finding=Code("44324008", "SCT", "Hemodynamic Measurements"),
    procedure=Code("16310003", "SCT", "Diagnostic ultrasonography"),
    body_part="HEART",  # unpaired, so that no Laterality is asked for
    hl7_section="CUS",
)


def words_without_estimate(instances: Iterable[InstanceRef]) -> Words:
    """Without an estimate nothing says what was examined, only whether it was ultrasound at all."""
    is_ultrasound = any(item.sop_class_uid in ULTRASOUND_SOP_CLASS_UIDS for item in instances)
    procedure = WORDS.procedure if is_ultrasound else None
    return replace(WORDS, procedure=procedure, body_part="", hl7_section="IMG")
