"""The orders that a study answers, told on from its images so that a RIS finds the report."""

from dataclasses import dataclass

from pydicom import Dataset

from dicom_node.report.items import concept
from dicom_node.report.source import items_of, put, text_of
from inference.types import Code

#: Where images name their orders, and where reports do: ours is a source too.
_SEQUENCES = ("RequestAttributesSequence", "ReferencedRequestSequence")
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
#: What U+FFFD stands for did not decode; half a word is no word of an order.
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, repr=False)
class RequestedProcedure:
    """One order; "" where unknown. It has no repr, since it points at a patient."""

    procedure_id: str
    description: str
    accession_number: str
    codes: tuple[Code, ...] = ()


def requested_procedures(header: Dataset) -> tuple[RequestedProcedure, ...]:
    """The orders that a header names (PS3.3 tables 10-9 and C.17-2), each once."""
    items = [item for keyword in _SEQUENCES for item in items_of(header, keyword)]
    named = [
        RequestedProcedure(
            procedure_id=_word(item, "RequestedProcedureID"),
            description=_word(item, "RequestedProcedureDescription"),
            accession_number=_word(item, "AccessionNumber"),
            codes=tuple(_codes(item)),
        )
        for item in items
    ]
    return tuple(dict.fromkeys(order for order in named if order.procedure_id))


def referenced_requests(
    orders: tuple[RequestedProcedure, ...], study_instance_uid: str, accession_number: str
) -> list[Dataset]:
    """The items of Referenced Request Sequence (0040,A370)."""
    return [_request(order, study_instance_uid, accession_number) for order in orders]


def _request(order: RequestedProcedure, study_instance_uid: str, accession_number: str) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = study_instance_uid
    item.ReferencedStudySequence = []
    put(item, "AccessionNumber", order.accession_number or accession_number)
    item.PlacerOrderNumberImagingServiceRequest = ""
    item.FillerOrderNumberImagingServiceRequest = ""
    put(item, "RequestedProcedureID", order.procedure_id)
    put(item, "RequestedProcedureDescription", order.description)
    item.RequestedProcedureCodeSequence = [concept(code) for code in order.codes]
    return item


def _codes(item: Dataset) -> list[Code]:
    found = [
        Code(*(_word(code, keyword) for keyword in _CODE))
        for code in items_of(item, "RequestedProcedureCodeSequence")
    ]
    return [code for code in found if code.value and code.scheme and code.meaning]


def _word(item: Dataset, keyword: str) -> str:
    text = text_of(item, keyword)
    return "" if _UNREADABLE in text else text
