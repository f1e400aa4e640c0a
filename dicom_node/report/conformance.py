"""Our own check that every object must pass before it may be sent.

It finds what would make an archive refuse an object or a viewer misread it. The messages name
attributes and codes, never values of the patient or the study.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.charset import convert_encodings
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.errors import InvalidDicomError
from pydicom.tag import Tag

from dicom_node.report.character_sets import encodings
from dicom_node.report.context import StudyContext
from dicom_node.report.references import is_image
from dicom_node.report.required_attributes import REQUIRED
from dicom_node.report.source import text_of

_CONTENT_SEQUENCE = Tag("ContentSequence")
_STUDY_INSTANCE_UID = Tag("StudyInstanceUID")


@dataclass(frozen=True, slots=True)
class _Survey:
    """What one walk over a dataset and its items finds."""

    problems: tuple[str, ...] = ()
    coding_schemes: frozenset[str] = frozenset()
    references: frozenset[str] = frozenset()


def check(data: bytes, study: StudyContext | None = None) -> list[str]:
    """What is wrong with a file of this room; empty where nothing is.

    With `study`, the patient and study attributes must equal those of the source.
    """
    try:
        dataset = dcmread(BytesIO(data))
        return list(_problems(dataset, study))
    except (InvalidDicomError, EOFError, ValueError, AttributeError, KeyError) as error:
        return [f"not a DICOM object that can be read ({type(error).__name__})"]


def _problems(dataset: Dataset, study: StudyContext | None) -> Iterator[str]:
    yield from _attributes(dataset)
    yield from _flags(dataset)
    if study is not None:
        yield from _identity(dataset, study)
    tree = _Survey()
    if _CONTENT_SEQUENCE in dataset:
        content = dataset.get_item(_CONTENT_SEQUENCE)
        characters = tuple(convert_encodings(encodings(dataset)))
        tree = _surveyed_tree(bytes(content.value), characters)
        del dataset[_CONTENT_SEQUENCE]
    header = _surveyed(dataset)
    yield from (*header.problems, *tree.problems)
    yield from _undeclared(dataset, header.coding_schemes | tree.coding_schemes)
    missing = len(tree.references - _evidence(dataset))
    if missing:
        yield f"{missing} references are not among the evidence"


def _attributes(dataset: Dataset) -> Iterator[str]:
    required = REQUIRED.get(dataset.get("SOPClassUID", ""))
    if required is None:
        yield "SOPClassUID is none of a result object"
        return
    for keyword in sorted(required.filled | required.present):
        if keyword not in dataset:
            yield f"{keyword} is missing"
        elif keyword in required.filled and not dataset.get_item(keyword).value:
            yield f"{keyword} is empty"


def _flags(dataset: Dataset) -> Iterator[str]:
    """An AI result is nobody's verified report, and its own UIDs break no rule."""
    if dataset.get("VerificationFlag", "UNVERIFIED") != "UNVERIFIED":
        yield "VerificationFlag is not UNVERIFIED"
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        if keyword in dataset and not dataset[keyword].value.is_valid:
            yield f"{keyword} is not a valid UID"


def _identity(dataset: Dataset, study: StudyContext) -> Iterator[str]:
    for keyword, value in study.identity().items():
        if text_of(dataset, keyword) != value:
            yield f"{keyword} differs from the source"


def _undeclared(dataset: Dataset, used: frozenset[str]) -> Iterator[str]:
    declarations = dataset.get("CodingSchemeIdentificationSequence", [])
    declared = {item.CodingSchemeDesignator for item in declarations}
    for scheme in sorted(used - declared):
        if scheme.startswith("99"):
            yield f"private coding scheme {scheme} is not declared"


def _evidence(dataset: Dataset) -> frozenset[str]:
    return frozenset(
        str(reference.ReferencedSOPInstanceUID)
        for keyword in ("CurrentRequestedProcedureEvidence", "PertinentOtherEvidence")
        for study in dataset.get(f"{keyword}Sequence", [])
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    )


@lru_cache(maxsize=1)
def _surveyed_tree(encoded: bytes, characters: tuple[str, ...]) -> _Survey:
    """The survey of an encoded Content Sequence, kept since three classes share one tree."""
    raw = RawDataElement(_CONTENT_SEQUENCE, "SQ", len(encoded), encoded, 0, False, True)
    tree = Dataset()
    tree.add(convert_raw_data_element(raw, encoding=list(characters)))
    return _surveyed(tree)


def _surveyed(dataset: Dataset) -> _Survey:
    problems: list[str] = []
    schemes: set[str] = set()
    references: set[str] = set()
    for item in _walk(dataset, set()):
        problems += _broken_uids(item)
        if "CodingSchemeDesignator" in item:
            schemes.add(str(item.CodingSchemeDesignator))
        if "RelationshipType" in item or "ValueType" in item:
            problems += _content_item(item)
            for reference in item.get("ReferencedSOPSequence", []):
                references.add(str(reference.ReferencedSOPInstanceUID))
    return _Survey(tuple(problems), frozenset(schemes), frozenset(references))


def _walk(item: Dataset, seen: set[bytes]) -> Iterator[Dataset]:
    """The dataset and every item of every sequence below it, of equal sequences the first."""
    yield item
    for element in item.elements():
        if element.VR != "SQ":
            continue
        if isinstance(element, RawDataElement) and element.value is not None:
            if element.value in seen:
                continue
            seen.add(element.value)
        for child in item[element.tag].value:
            yield from _walk(child, seen)


def _broken_uids(item: Dataset) -> Iterator[str]:
    """UIDs of the source may break the rules of PS3.5 chapter 9, but they must be there.

    The study's own is what it is: under another, the report would lie in no study.
    """
    for element in item.elements():
        if element.VR != "UI" or element.tag == _STUDY_INSTANCE_UID:
            continue
        if not re.fullmatch(r"[0-9.]{1,64}", str(item[element.tag].value)):
            yield f"{keyword_for_tag(element.tag)} is not a UID"


def _content_item(item: Dataset) -> Iterator[str]:
    kind = str(item.get("ValueType"))
    if kind == "CONTAINER" and item.get("ContinuityOfContent") != "SEPARATE":
        yield f"container {_name(item)} is not SEPARATE"
    if kind == "NUM":
        measured = item.get("MeasuredValueSequence")
        if not measured or "MeasurementUnitsCodeSequence" not in measured[0]:
            yield f"{_name(item)} has no unit"
    for reference in item.get("ReferencedSOPSequence", []):
        if kind == "IMAGE" and not is_image(reference.ReferencedSOPClassUID):
            yield f"image reference {_name(item)} points at a class that is none of images"
    if any("RelationshipType" not in child for child in item.get("ContentSequence", [])):
        yield f"an item below {_name(item)} has no relationship"


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeMeaning) if names else str(item.get("ValueType"))
