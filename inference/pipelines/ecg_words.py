"""What reports of ecg_ph call things, and its sentences about a study as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from inference.bundle.manifest import Evaluated
from inference.ecg.leads import LeadSet
from inference.ecg.rules import NOT_ECG
from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS
from inference.exclusions import reason
from inference.population import ADULT_YEARS, UNDER_18
from inference.types import Code, Exclusion, InstanceRef, Words

TITLE = "PH estimated from the ECG"
#: Without an estimate.
SHORT_TITLE = "Pulmonary hypertension"

OTHER_ECG = reason("OTHER_ECG", "Another ECG of the study was used")

_TWELVE_LEADS = Code("268400002", "SCT", "12-Lead ECG")
_ELECTROCARDIOGRAPHY = Code("29303009", "SCT", "Electrocardiographic procedure")
_WORDS = Words(
    noun="ECG",
    nouns="ECGs",
    reference="catheter value",
    reservation=(
        "Estimated from an electrocardiogram, not measured invasively; does not replace right "
        "heart catheterisation."
    ),
    procedure=_ELECTROCARDIOGRAPHY,
    body_part="HEART",  # unpaired, so that no Laterality is asked for
    hl7_section="EC",
)


def words(leads: LeadSet) -> Words:
    """Of a report on an ECG with this set of leads."""
    return replace(_WORDS, procedure=_TWELVE_LEADS) if leads is LeadSet.TWELVE else _WORDS


def words_without_estimate(instances: Iterable[InstanceRef]) -> Words:
    """Without an estimate no more is said of what was recorded than that it is an ECG."""
    is_ecg = any(item.sop_class_uid in ECG_SOP_CLASS_UIDS for item in instances)
    return _WORDS if is_ecg else replace(_WORDS, procedure=None, body_part="", hl7_section="IMG")


def no_ecg(exclusions: Sequence[Exclusion]) -> str:
    """Why no ECG of a study could be used: the one reason, where all share it."""
    ecgs = [item for item in exclusions if item.reason != NOT_ECG]
    if ecgs and all(item.reason == UNDER_18 for item in ecgs):
        return f"the patient is under {ADULT_YEARS} years old; the model is for adults only."
    whys = {f"{item.reason.meaning} ({item.detail})" for item in ecgs}
    if len(whys) == 1:
        (why,) = whys
        subject = "the ECG cannot" if len(ecgs) == 1 else "no ECG of the study can"
        return f"{subject} be used: {why}."
    found = f"none of the {len(ecgs)} ECGs" if ecgs else "no instance"
    return f"{found} of the study can be used."


def judged_by(leads: LeadSet, others: int) -> str:
    """By which leads of which ECG an estimate was made."""
    said = f"Estimated from {leads} of one ECG."
    if not others:
        return said
    them = "1 other ECG" if others == 1 else f"{others} other ECGs"
    return f"{said} The newest one with the most leads decides; {them} of the study did not."


def figures(auroc: Mapping[str, float | Evaluated | None]) -> list[str]:
    """How well a model told what a condition's name says, as far as it is known."""
    known = [f"{name} {_figure(value)}" for name, value in auroc.items() if value is not None]
    return [f"AUROC on the test patients: {', '.join(known)}."] if known else []


def _figure(value: float | Evaluated) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if value.low is None or value.high is None:
        return f"{value.value:.2f}"
    return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"
