"""What an instance is to cxr_ecg: a film, an ECG, a page that may show one; by its header alone."""

from enum import Enum, auto

from inference.ecg import rules as ecg_rules
from inference.ecg.page import rules as page_rules
from inference.ecg.sop_classes import ECG_SOP_CLASS_UIDS, NOT_RESTING, WITHOUT_SAMPLES
from inference.exclusions import NO_ESTIMATE
from inference.radiograph.rules import MODALITIES
from inference.types import Exclusion, InstanceRef

#: By which a picture or a document says that it is an ECG.
_ECG_MODALITIES = frozenset({"ECG", "HD"})
#: Why an ECG takes no part, told from why something is none.
_OF_ECGS = {*ecg_rules.REASONS.values(), *page_rules.REASONS.values(), NO_ESTIMATE} - {
    ecg_rules.NOT_ECG,
    page_rules.REASONS["grid"],
}


class Kind(Enum):
    """By whose rules an instance is judged; what is none of them, by those of films."""

    FILM = auto()
    ECG = auto()
    PAGE = auto()


def kind_of(instance: InstanceRef) -> Kind:
    """What an instance is, by its SOP class and modality."""
    if instance.sop_class_uid in ECG_SOP_CLASS_UIDS | NOT_RESTING.keys():
        return Kind.ECG
    is_page = instance.sop_class_uid in WITHOUT_SAMPLES and instance.modality not in MODALITIES
    return Kind.PAGE if is_page else Kind.FILM


def was_ecg(left_out: Exclusion) -> bool:
    """Whether what was left out is an ECG all the same, not just a picture that is none."""
    kind = kind_of(left_out.instance)
    says_so = left_out.instance.modality in _ECG_MODALITIES
    return kind is Kind.ECG or (kind is Kind.PAGE and (says_so or left_out.reason in _OF_ECGS))
