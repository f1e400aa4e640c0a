"""Section 9: what the node creates, seen from objects that are made for it.

The objects are those of a connection test: a report in its full shape on no patient.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType

from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_description
from pydicom.uid import UID

from dicom_node.conformance.document import Section, Table
from dicom_node.peer_doctor.synthetic import SyntheticStudy, rejection_note
from dicom_node.report import BuiltObject, concepts
from dicom_node.report.context import IDENTITY_KEYWORDS
from dicom_node.report.required_attributes import REQUIRED
from inference import exclusions
from inference.types import Code

_UIDS = (
    "All are Standard SOP classes; no private attribute is used. The patient and study attributes "
    "are copied from the images of the study. UIDs follow from everything that an object holds "
    "(root 2.25, PS3.5 B.2): equal UIDs mean equal bytes. Content Date and Time are those of the "
    "newest instance of the study: the same instances give the same objects. "
    "Every object is checked before it is sent."
)
_CODES = (
    f"Where no standard code exists, the coding scheme {concepts.PRIVATE_SCHEME} "
    f"({concepts.PRIVATE_SCHEME_NAME}) is used, declared in Coding Scheme Identification Sequence "
    "(0008,0110). Pipelines add codes for their own reasons and verdicts."
)


@dataclass(frozen=True, slots=True)
class CreatedInstance:
    """One kind of object in one SOP class, as it is sent."""

    kind: str
    sop_class_uid: str
    dataset: Dataset


def created_instances(study: SyntheticStudy) -> list[CreatedInstance]:
    """Every kind of object in every class, the report first."""
    note = rejection_note(study, study.objects)
    ordered = [item for kind in study.kinds for item in study.renditions(kind)]
    return [_created(item) for item in (*ordered, note)]


def instances(created: Sequence[CreatedInstance]) -> Section:
    """What is in them."""
    documents = [item for item in created if "ContentSequence" in item.dataset]
    return Section(
        "Information objects created",
        (
            _UIDS,
            _overview(created),
        ),
        (
            *(_attributes(item) for item in _one_of_each_class(created)),
            Section(
                "Content trees", sections=tuple(_tree(i) for i in _one_of_each_tree(documents))
            ),
            _private_codes(documents),
        ),
    )


def _created(item: BuiltObject) -> CreatedInstance:
    return CreatedInstance(item.kind, item.sop_class_uid, dcmread(BytesIO(item.data)))


def _overview(created: Sequence[CreatedInstance]) -> Table:
    rows = [
        (
            item.kind,
            UID(item.sop_class_uid).name,
            str(item.dataset.Modality),
            _template(item.dataset),
        )
        for item in created
    ]
    columns = ("Kind", "SOP class", "Modality", "Root template")
    return Table("Objects created", columns, rows)


def _template(dataset: Dataset) -> str:
    return _template_of(dataset) or "none"


def _template_of(item: Dataset) -> str:
    named = item.get("ContentTemplateSequence")
    return f"TID {named[0].TemplateIdentifier}" if named else ""


def _one_of_each_class(created: Sequence[CreatedInstance]) -> list[CreatedInstance]:
    return list({item.sop_class_uid: item for item in reversed(created)}.values())[::-1]


def _attributes(item: CreatedInstance) -> Section:
    required = REQUIRED.get(item.sop_class_uid)
    filled = required.filled if required else frozenset()
    present = required.present if required else frozenset()
    copied = set(IDENTITY_KEYWORDS.values())

    def presence(keyword: str) -> str:
        if keyword in filled:
            return "always, with a value"
        return "always, may be empty" if keyword in present else "where there is something to say"

    rows = [
        (
            dictionary_description(element.tag),
            str(element.tag),
            element.VR,
            presence(element.keyword),
            "the images of the study" if element.keyword in copied else "the node",
        )
        for element in item.dataset
    ]
    columns = ("Attribute", "Tag", "VR", "Presence", "Source")
    name = UID(item.sop_class_uid).name
    return Section(name, (Table(f"Attributes of {name} ({item.kind})", columns, rows),))


def _one_of_each_tree(documents: Sequence[CreatedInstance]) -> list[CreatedInstance]:
    """Several classes share one tree: the first is shown for all."""
    by_root: dict[tuple[str, ...], CreatedInstance] = {}
    for item in documents:
        rows = tuple(row[-1] for row in _content_rows(item.dataset))
        by_root.setdefault(rows, item)
    return list(by_root.values())


def _tree(item: CreatedInstance) -> Section:
    columns = ("Level", "Relationship", "Value type", "Template", "Concept")
    rows = list(dict.fromkeys(_content_rows(item.dataset)))
    title = f"{item.kind} as {UID(item.sop_class_uid).name}"
    table = Table(f"Content items of {title}, each once", columns, rows)
    return Section(title, (table,))


def _content_rows(item: Dataset, level: int = 1) -> Iterator[tuple[str, ...]]:
    name = item.get("ConceptNameCodeSequence")
    yield (
        str(level),
        str(item.get("RelationshipType", "")),
        str(item.get("ValueType", "")),
        _template_of(item),
        _coded(name[0]) if name else "",
    )
    for child in item.get("ContentSequence", []):
        yield from _content_rows(child, level + 1)


def _coded(item: Dataset) -> str:
    return f"({item.CodeValue}, {item.CodingSchemeDesignator}, {item.CodeMeaning})"


def _private_codes(documents: Sequence[CreatedInstance]) -> Section:
    listed = [code for module in (concepts, exclusions) for code in _codes(module)]
    listed += [code for item in documents for code in _coded_privately(item.dataset)]
    found = {code.value: code for code in listed}
    rows = [(code.value, code.meaning) for code in found.values()]
    codes = Table(f"Codes of {concepts.PRIVATE_SCHEME}", ("Code value", "Code meaning"), rows)
    return Section("Private codes", (_CODES, codes))


def _coded_privately(item: Dataset) -> Iterator[Code]:
    """The private codes of a tree, such as those that hold a noun of the pipeline."""
    for name in item.get("ConceptNameCodeSequence", []):
        if name.CodingSchemeDesignator == concepts.PRIVATE_SCHEME:
            yield Code(name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning)
    for child in item.get("ContentSequence", []):
        yield from _coded_privately(child)


def _codes(module: ModuleType) -> Iterator[Code]:
    values: Mapping[str, object] = vars(module)
    for value in values.values():
        if isinstance(value, Code) and value.scheme == concepts.PRIVATE_SCHEME:
            yield value
