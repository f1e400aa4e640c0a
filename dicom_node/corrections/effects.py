"""What corrections mean for the next report of a study: what leaves it, and what it must say."""

from collections import defaultdict
from collections.abc import Sequence

from pydicom.datadict import dictionary_description

from dicom_node.identifying_attributes import CORRECTABLE
from dicom_node.intake.rejection_reasons import (
    NOT_TO_BE_SHOWN,
    PATIENT_SAFETY,
    REASONS,
    WRONG_WORKLIST_ENTRY,
)
from dicom_node.report import DocumentRef, Notice, StudyContext
from inference.types import Code
from storage.reading.cases import Case, CaseInstance


def reason_of(item: CaseInstance) -> Code | None:
    """Why an instance was taken back, if it was."""
    return REASONS[item.rejected] if item.rejected else None


def standing_instances(case: Case) -> list[CaseInstance]:
    """The instances that nobody has taken back."""
    return [item for item in case.instances if not item.rejected]


def shown_instances(case: Case) -> list[CaseInstance]:
    """The instances that a report may point at."""
    return [item for item in case.instances if item.rejected not in NOT_TO_BE_SHOWN]


def is_filed_anew(case: Case) -> bool:
    """Whether an administrator or the archive gave the study another identification."""
    codes = {item.rejected for item in case.instances}
    return bool(case.identification) or WRONG_WORKLIST_ENTRY.value in codes


def why_withdrawn(case: Case, *, concerned: bool) -> str | None:
    """Why nothing reported of a study holds any more, if so.

    An administrator withdrew it, or notes took back all that was analysed, or all that made the
    study the pipeline's business; `concerned` says whether what still stands is its business.
    """
    if case.withdrawn is not None:
        return f"The study was withdrawn: {_sentence(case.withdrawn)}"
    if not any(item.rejected for item in case.instances):
        return None
    used = [item for item in case.instances if item.preparation and item.preparation.selected]
    lost_all = bool(used) and all(item.rejected for item in used)
    if concerned and not lost_all:
        return None
    return f"The images that it rests on were rejected at the archive. {_told(case, named=False)}"


def withdrawal(case: Case, why: str) -> Notice:
    """The notice of a withdrawn report, which takes back all that was sent.

    As a rejection it counts as one for patient safety: archives may go on showing what is
    rejected for quality reasons, and nobody shall act on a withdrawn estimate.
    """
    codes = {item.rejected for item in case.instances}
    wrong_entry = case.withdrawn is None and WRONG_WORKLIST_ENTRY.value in codes
    return Notice(
        withdrawn=why,
        rejection=WRONG_WORKLIST_ENTRY if wrong_entry else PATIENT_SAFETY,
        rejects=_reported(case),
    )


def reissue(case: Case, study: StudyContext, earlier: StudyContext | None) -> Notice:
    """The notice of a report that stands: what was rejected, and what identification it bears.

    Where `earlier`, what the last report bears, differs from `study`, all that was sent is taken
    back as filed under the wrong entry.
    """
    sentences = []
    if case.identification:
        keywords = (CORRECTABLE[name] for name in sorted(case.identification))
        names = ", ".join(map(dictionary_description, keywords))
        sentences.append(f"The identification of this study was corrected: {names}.")
    if any(item.rejected for item in case.instances):
        sentences.append(f"Withdrawn from this study. {_told(case, named=True)}")
    moved = earlier is not None and earlier.filed_under() != study.filed_under()
    if not moved:
        return Notice(tuple(sentences))
    sentences.append("Earlier revisions bear another identification and are withdrawn.")
    return Notice(tuple(sentences), rejection=WRONG_WORKLIST_ENTRY, rejects=_reported(case))


def _told(case: Case, *, named: bool) -> str:
    """Such as "Rejected for Quality Reasons: instance 3, instance 12."."""
    by_reason: dict[str, list[CaseInstance]] = defaultdict(list)
    for item in sorted(case.instances, key=lambda item: item.sop_instance_uid):
        reason = reason_of(item)
        if reason is not None:
            by_reason[reason.meaning].append(item)
    return " ".join(
        f"{meaning}: {_names(items) if named else _count(items)}."
        for meaning, items in sorted(by_reason.items())
    )


def _names(items: Sequence[CaseInstance]) -> str:
    return ", ".join(f"instance {item.instance_number or 'without number'}" for item in items)


def _count(items: Sequence[CaseInstance]) -> str:
    return f"{len(items)} instance{'s' if len(items) > 1 else ''}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _reported(case: Case) -> tuple[DocumentRef, ...]:
    return tuple(
        DocumentRef(
            item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid, item.destination
        )
        for item in case.reported
    )
