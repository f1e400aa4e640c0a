"""Encoding a content tree: the same bytes that pydicom writes by itself, in half the time.

Two thirds of a tree's items are codes, of which it has a few dozen; each is encoded once. And
pydicom looks through every subtree for ambiguous value representations, once per level above it,
unless an item counts as read in the syntax it is written in. Our trees hold none.
"""

from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_sequence_item

from dicom_node.report.character_sets import encodings

_Encoded = dict[int, bytes]


def settle(document: Dataset) -> None:
    """Prepare a document for writing in Explicit VR Little Endian, in its character set.

    Its codes are bytes afterwards: add nothing to the document any more.
    """
    _settle(document, convert_encodings(encodings(document)), {})


def _settle(item: Dataset, characters: list[str], encoded: _Encoded) -> None:
    for element in list(item.elements()):
        if element.VR != "SQ" or isinstance(element, RawDataElement):
            continue
        if all(isinstance(child, CodedConcept) for child in element.value):
            data = b"".join(_code(child, characters, encoded) for child in element.value)
            raw = RawDataElement(element.tag, "SQ", len(data), data, 0, False, True)
            item[element.tag] = raw
        else:
            for child in element.value:
                child.set_original_encoding(
                    is_implicit_vr=False, is_little_endian=True, character_encoding=default_encoding
                )
                _settle(child, characters, encoded)


def _code(concept: CodedConcept, characters: list[str], encoded: _Encoded) -> bytes:
    # By identity: equal concepts may differ in their equivalents. The tree keeps them alive.
    if id(concept) not in encoded:
        stream = DicomBytesIO()
        stream.is_little_endian, stream.is_implicit_VR = True, False
        write_sequence_item(stream, concept, characters)
        encoded[id(concept)] = stream.getvalue()
    return encoded[id(concept)]
