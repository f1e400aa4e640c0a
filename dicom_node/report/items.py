"""Content items of an SR tree (PS3.3 C.17.3), made with highdicom's value types.

highdicom checks each item: value type, relationship, code and unit. Its larger templates and its
document classes are not used, because highdicom 0.28.2
- writes containers CONTINUOUS, after which DCMTK, Weasis and OHIF drop the names of the values;
- gives measurement uncertainties the unit "1" where TID 310 wants the unit of the value;
- attaches the group's Measurement Method with CONTAINS where TID 1501 wants HAS CONCEPT MOD;
- offers no Qualitative Evaluations, which TID 1500 needs for an abstention;
- refuses retired image classes in the image library, and headers that lack a Type 2
  attribute;
- stamps documents with the clock and with itself as Processing Equipment, which IHE AIR takes
  for an algorithm.
"""

from collections.abc import Iterable
from functools import lru_cache

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    TextContentItem,
    UIDRefContentItem,
    WaveformContentItem,
)
from pydicom import Dataset
from pydicom.uid import UID

from dicom_node.report.references import frame_numbers, is_image, is_waveform
from inference.types import Code, Evidence, InstanceRef

CONTAINS = RelationshipTypeValues.CONTAINS
HAS_ACQ_CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT
HAS_CONCEPT_MOD = RelationshipTypeValues.HAS_CONCEPT_MOD
HAS_OBS_CONTEXT = RelationshipTypeValues.HAS_OBS_CONTEXT
HAS_PROPERTIES = RelationshipTypeValues.HAS_PROPERTIES
INFERRED_FROM = RelationshipTypeValues.INFERRED_FROM


@lru_cache(maxsize=512)
def concept(code: Code, *equivalents: Code) -> CodedConcept:
    """A coded concept; equivalents go into the Equivalent Code Sequence (0008,0121).

    One object stands for all uses of a code: treat it as frozen.
    """
    coded = CodedConcept(code.value, code.scheme, code.meaning[:64])
    if equivalents:
        coded.EquivalentCodeSequence = [concept(other) for other in equivalents]
    return coded


def root(title: Code, template: str, children: Iterable[ContentItem]) -> Dataset:
    """The root container of a document of one template, such as "1500"."""
    item = ContainerContentItem(concept(title), is_content_continuous=False, template_id=template)
    return _with_children(item, children)


def container(name: Code, children: Iterable[ContentItem]) -> ContentItem:
    """A container whose items stand separately, each with its name."""
    item = ContainerContentItem(
        concept(name), is_content_continuous=False, relationship_type=CONTAINS
    )
    return _with_children(item, children)


def code(name: Code, value: Code, relationship: RelationshipTypeValues = CONTAINS) -> ContentItem:
    """A coded value."""
    return CodeContentItem(concept(name), concept(value), relationship)


def text(
    name: Code,
    value: str,
    relationship: RelationshipTypeValues = CONTAINS,
    *,
    children: Iterable[ContentItem] = (),
) -> ContentItem:
    """A sentence."""
    return _with_children(TextContentItem(concept(name), value, relationship), children)


def uid(name: Code, value: str, relationship: RelationshipTypeValues) -> ContentItem:
    """A UID."""
    return UIDRefContentItem(concept(name), value, relationship)


def number(
    name: CodedConcept,
    value: float,
    unit: Code,
    relationship: RelationshipTypeValues = CONTAINS,
    *,
    decimals: int,
    qualifier: Code | None = None,
    children: Iterable[ContentItem] = (),
) -> ContentItem:
    """A value with its UCUM unit and as many decimals as a reader shall see.

    `qualifier` says what the value alone does not (CID 42).
    """
    qualified = None if qualifier is None else concept(qualifier)
    shown = f"{value:z.{decimals}f}"
    item = NumContentItem(name, float(shown), concept(unit), qualified, relationship)
    # highdicom would write 38 as "38.0"
    item.MeasuredValueSequence[0].NumericValue = shown
    return _with_children(item, children)


def image(
    instance: InstanceRef,
    name: Code,
    relationship: RelationshipTypeValues = CONTAINS,
    *,
    frames: Iterable[int] = (),
    children: Iterable[ContentItem] = (),
) -> ContentItem:
    """A reference to an image, with the 1-based frames that matter where its class has frames."""
    item = ImageContentItem(
        concept(name),
        instance.sop_class_uid,
        instance.sop_instance_uid,
        frame_numbers(instance, frames) or None,
        relationship_type=relationship,
    )
    return _with_children(item, children)


def source(
    evidence: Evidence, name: Code, relationship: RelationshipTypeValues = CONTAINS
) -> list[ContentItem]:
    """A reference to what an estimate rests on: an image or a waveform (TID 320, TID 321).

    The evidence sequence names all, also what is neither. Some carts write UIDs that break PS3.5
    chapter 9: DCMTK reads nothing of a report with an item that points at such a waveform.
    """
    instance = evidence.instance
    if is_image(instance.sop_class_uid):
        return [image(instance, name, relationship, frames=evidence.frames)]
    if is_waveform(instance.sop_class_uid) and UID(instance.sop_instance_uid).is_valid:
        item = WaveformContentItem(
            concept(name),
            instance.sop_class_uid,
            instance.sop_instance_uid,
            evidence.channels or None,  # type: ignore[arg-type] # pairs, as its docstring says
            relationship,
        )
        return [item]
    return []


def composite(
    sop_class_uid: str,
    sop_instance_uid: str,
    name: Code,
    relationship: RelationshipTypeValues = CONTAINS,
) -> ContentItem:
    """A reference to an object that is no image."""
    return CompositeContentItem(concept(name), sop_class_uid, sop_instance_uid, relationship)


def drop_names(tree: Dataset, name: Code) -> None:
    """Take a name off the references below a root: TID 1601 and 2010 have none; highdicom does."""
    unwanted = concept(name)
    for item in tree.get("ContentSequence", []):
        if item.ValueType in {"IMAGE", "COMPOSITE"} and item.ConceptNameCodeSequence[0] == unwanted:
            del item.ConceptNameCodeSequence
        elif item.ValueType == "CONTAINER":
            drop_names(item, name)


def _with_children(item: ContentItem, children: Iterable[ContentItem]) -> ContentItem:
    listed = list(children)
    if listed:
        item.ContentSequence = ContentSequence(listed)
    return item
