"""What a service says about one object that was sent to it (PS3.18 section 10.5.3 and annex I).

The answer is a dataset, as JSON or as XML, that lists what failed and what was stored. Whatever is
listed as failed has failed: its reason may be a number that is a warning elsewhere.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from xml.etree import ElementTree

from dicom_node.scu.statuses import PROCESSING_FAILURE, SUCCESS

#: Attributes of the answer (PS3.18 section I.2).
_FAILED_SOP_SEQUENCE = "00081198"
_REFERENCED_SOP_SEQUENCE = "00081199"
_OTHER_FAILURES_SEQUENCE = "0008119A"
_FAILURE_REASON = "00081197"
_WARNING_REASON = "00081196"
_REFERENCED_SOP_INSTANCE_UID = "00081155"


class Fate(Enum):
    """What became of the object, as far as the answer says."""

    STORED = "stored"
    FAILED = "failed"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What became of the object; `status` is its Warning or Failure Reason, 0 without."""

    fate: Fate
    status: int = SUCCESS


def read_store_answer(content: bytes, sop_instance_uid: str) -> StoreAnswer:
    """Read the answer about one object that was sent alone."""
    answers = _datasets(content)
    failed = [item for answer in answers for item in _values(answer, _FAILED_SOP_SEQUENCE)]
    if failed:
        about_ours = [item for item in failed if _names(item, sop_instance_uid)]
        reason = _number((about_ours or failed)[0], _FAILURE_REASON)
        return StoreAnswer(Fate.FAILED, reason or PROCESSING_FAILURE)
    for answer in answers:
        for item in _values(answer, _REFERENCED_SOP_SEQUENCE):
            if _names(item, sop_instance_uid):
                return StoreAnswer(Fate.STORED, _number(item, _WARNING_REASON))
    other = [item for answer in answers for item in _values(answer, _OTHER_FAILURES_SEQUENCE)]
    if other:
        reason = _number(other[0], _FAILURE_REASON)
        return StoreAnswer(Fate.FAILED, reason or PROCESSING_FAILURE)
    return StoreAnswer(Fate.UNTOLD)


def _datasets(content: bytes) -> list[Mapping[str, Any]]:
    """The datasets of the answer, as DICOM JSON has them; none where it is no DICOM answer."""
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<"):
        return _xml_datasets(text)
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return []
    answers = answer if isinstance(answer, list) else [answer]
    return [item for item in answers if isinstance(item, dict)]


def _xml_datasets(text: bytes) -> list[Mapping[str, Any]]:
    """The Native DICOM Model (PS3.19 annex A); no document type is read, since it may expand."""
    if b"<!" in text.replace(b"<!--", b""):
        return []
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a document type, see above
    except ElementTree.ParseError:
        return []
    return [_xml_dataset(root)] if _name(root) == "NativeDicomModel" else []


def _xml_dataset(parent: ElementTree.Element) -> dict[str, Any]:
    """Elements of the Native DICOM Model as DICOM JSON has them."""
    return {
        element.get("tag", "").upper(): {"Value": list(_xml_values(element))}
        for element in parent
        if _name(element) == "DicomAttribute"
    }


def _xml_values(element: ElementTree.Element) -> Iterator[Any]:
    for child in element:
        if _name(child) == "Item":
            yield _xml_dataset(child)
        elif _name(child) == "Value":
            text = (child.text or "").strip()
            yield int(text) if text.isdecimal() else text


def _name(element: ElementTree.Element) -> str:
    """Its name without a namespace."""
    return element.tag.rpartition("}")[2]


def _names(item: Any, sop_instance_uid: str) -> bool:
    """Whether an item is about our object. One without a UID is: the object was sent alone."""
    uids = [str(uid).strip(" \0") for uid in _values(item, _REFERENCED_SOP_INSTANCE_UID)]
    return uids in ([sop_instance_uid], [])


def _number(item: Any, tag: str) -> int:
    """A reason, a number of two bytes (PS3.18 annex I); 0 where it is none."""
    text = str(next(iter(_values(item, tag)), ""))
    return int(text) if text.isdecimal() and int(text) <= 0xFFFF else 0


def _values(item: Any, tag: str) -> list[Any]:
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
