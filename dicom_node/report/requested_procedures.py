"""The orders that a study answers, told on from its images so that a RIS finds the report."""

from dataclasses import dataclass
from textwrap import shorten

from pydicom import Dataset

from dicom_node.report.items import concept
from dicom_node.report.source import items_of, put
from dicom_node.report.source_codes import codes_of, meanings_of, word_of
from inference.types import Code

#: Where images name their orders, and where reports do: ours is a source too.
_SEQUENCES = ("RequestAttributesSequence", "ReferencedRequestSequence")
#: Where images name what was done or asked for, and where reports do; the first that has any.
_PROCEDURES = (
    "ProcedureCodeSequence",
    "RequestedProcedureCodeSequence",
    "PerformedProcedureCodeSequence",
)
_LONGEST_DESCRIPTION = 64


@dataclass(frozen=True, slots=True, repr=False)
class RequestedProcedure:
    """One order; "" where unknown. It has no repr, since it points at a patient."""

    procedure_id: str
    description: str
    accession_number: str
    codes: tuple[Code, ...] = ()


def requested_procedures(header: Dataset) -> tuple[RequestedProcedure, ...]:
    """The orders that a header names (PS3.3 tables 10-9 and C.17-2), each once.

    A code that is not well formed is left out; its meaning is kept as the description.
    """
    items = [item for keyword in _SEQUENCES for item in items_of(header, keyword)]
    named = [
        RequestedProcedure(
            procedure_id=word_of(item, "RequestedProcedureID"),
            description=_description(item),
            accession_number=word_of(item, "AccessionNumber"),
            codes=codes_of(item, "RequestedProcedureCodeSequence"),
        )
        for item in items
    ]
    return tuple(dict.fromkeys(order for order in named if order.procedure_id))


def procedures(header: Dataset) -> tuple[Code, ...]:
    """The procedure that a header names, by its well-formed codes; empty where it names none."""
    named = [codes_of(header, keyword) for keyword in _PROCEDURES]
    named += [order.codes for order in requested_procedures(header)]
    return next(filter(None, named), ())


def referenced_requests(
    orders: tuple[RequestedProcedure, ...], study_instance_uid: str, accession_number: str
) -> list[Dataset]:
    """The items of Referenced Request Sequence (0040,A370)."""
    return [_request(order, study_instance_uid, accession_number) for order in orders]


def _request(order: RequestedProcedure, study_instance_uid: str, accession_number: str) -> Dataset:
    item = Dataset()
    put(item, "StudyInstanceUID", study_instance_uid)
    item.ReferencedStudySequence = []
    put(item, "AccessionNumber", order.accession_number or accession_number)
    item.PlacerOrderNumberImagingServiceRequest = ""
    item.FillerOrderNumberImagingServiceRequest = ""
    put(item, "RequestedProcedureID", order.procedure_id)
    put(item, "RequestedProcedureDescription", order.description)
    item.RequestedProcedureCodeSequence = [concept(code) for code in order.codes]
    return item


def _description(item: Dataset) -> str:
    words = word_of(item, "RequestedProcedureDescription")
    words = words or meanings_of(item, "RequestedProcedureCodeSequence")
    if len(words) <= _LONGEST_DESCRIPTION:
        return words
    return shorten(words, _LONGEST_DESCRIPTION, placeholder="...")
