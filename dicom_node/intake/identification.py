"""What an instance is: read from its header in the spool file, the pixels untouched."""

import re
import struct
import uuid
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from dicom_node.intake.statuses import RefusedError, StoreStatus

_TEXTS = {
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "modality": "Modality",
    "instance_number": "InstanceNumber",
}
_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in (*_UIDS, *_TEXTS.values())]

_STUDY = Tag("StudyInstanceUID")
#: Float, double and integer pixel data begin here; nothing that we read comes later.
_PIXELS = 0x7FE00008
_ITEM = (0xFFFE, 0xE000)
#: VRs with a 32 bit length in explicit encodings that pixels are stored as (PS3.5 section 7.1.2).
_LONG_VRS = ("OB", "OD", "OF", "OW", "UN")

#: How much of a deflated dataset is inflated, and to how much at most, in bytes.
_DEFLATED_BYTES = 4 << 20
_INFLATED_BYTES = 16 << 20

#: Leading zeros and empty components are against PS3.5 section 9.1 and do no harm; carts send them.
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose and which instance it is; texts are empty where the dataset says nothing."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    patient_birth_date: str
    patient_sex: str
    accession_number: str
    study_date: str
    study_time: str
    modality: str
    instance_number: str

    @property
    def is_orphan(self) -> bool:
        """Whether the dataset named no study, so that one was invented for it."""
        return self.study_instance_uid == _invented_study(self.sop_instance_uid)


def identify(path: Path, offset: int, transfer_syntax_uid: str) -> Identity:
    """Read the identity of the dataset that begins `offset` bytes into a file.

    An instance without Study Instance UID is kept in an invented study of its own: refusing it
    would lose it, and it can neither be grouped nor reported.

    Raises:
        RefusedError: 0xC000; not readable, cut short, or a UID is missing or malformed.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            header = _read(file, UID(transfer_syntax_uid))
        uids = {keyword: str(header.dataset.get(keyword) or "").strip() for keyword in _UIDS}
        texts = {name: _text(header.dataset, keyword) for name, keyword in _TEXTS.items()}
    except Exception as error:  # pydicom raises nearly anything on a damaged dataset
        raise RefusedError(StoreStatus.CANNOT_UNDERSTAND, "Dataset cannot be read") from error
    if not header.is_whole:
        raise RefusedError(StoreStatus.CANNOT_UNDERSTAND, "Dataset ends early")
    _require_uid("SOPInstanceUID", uids["SOPInstanceUID"])
    if not uids["StudyInstanceUID"] and header.passed_study:
        uids["StudyInstanceUID"] = _invented_study(uids["SOPInstanceUID"])
        uids["SeriesInstanceUID"] = uids["SeriesInstanceUID"] or uids["StudyInstanceUID"]
    for keyword, uid in uids.items():
        _require_uid(keyword, uid)
    return Identity(
        sop_class_uid=uids["SOPClassUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        study_instance_uid=uids["StudyInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        **texts,
    )


def named_study(head: bytes, transfer_syntax_uid: str) -> str:
    """The Study Instance UID that the beginning of a dataset names; empty where it names none."""
    syntax = UID(transfer_syntax_uid)
    try:
        deflated = syntax == DeflatedExplicitVRLittleEndian
        dataset = read_dataset(
            _inflate(BytesIO(head)) if deflated else BytesIO(head),
            syntax.is_implicit_VR,
            syntax.is_little_endian,
            stop_when=lambda tag, _vr, _length: tag > _STUDY,
            specific_tags=[_STUDY],
        )
        uid = str(dataset.get("StudyInstanceUID") or "").strip()
        is_cut = not _values_are_whole(dataset)
    except Exception:  # noqa: BLE001 - pydicom raises nearly anything on a damaged dataset
        return ""
    return uid if is_uid(uid) and not is_cut else ""


def require_instance_uid(sop_instance_uid: str) -> None:
    """Check the SOP Instance UID that a request gives, before anything is made of its dataset.

    Raises:
        RefusedError: 0x0117; it is no UID (PS3.5 section 9.1).
    """
    if not is_uid(sop_instance_uid):
        raise RefusedError(StoreStatus.INVALID_INSTANCE, "SOP Instance UID is malformed")


def require_same(identity: Identity, sop_class_uid: str, sop_instance_uid: str) -> None:
    """Check the dataset against what the C-STORE request announced.

    Raises:
        RefusedError: 0xA900; it is of another class, or another instance.
    """
    if identity.sop_class_uid != sop_class_uid:
        raise RefusedError(StoreStatus.MISMATCH, "SOP Class UID differs from the request's")
    if identity.sop_instance_uid != sop_instance_uid:
        raise RefusedError(StoreStatus.MISMATCH, "SOP Instance UID differs from the request's")


def _invented_study(sop_instance_uid: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) that follows from the instance, so that it is the same again."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, sop_instance_uid).int}"


def is_uid(text: str) -> bool:
    """Whether a text can stand for a UID."""
    return _UID.fullmatch(text) is not None


def _require_uid(keyword: str, uid: str) -> None:
    if not uid:
        raise RefusedError(StoreStatus.CANNOT_UNDERSTAND, f"{keyword} is missing")
    if not is_uid(uid):
        raise RefusedError(StoreStatus.CANNOT_UNDERSTAND, f"{keyword} is malformed")


def _text(dataset: Dataset, keyword: str) -> str:
    """A value as one line; a value of the wrong kind counts as none, for it identifies nothing.

    A backslash divides values in DICOM, yet carts type it into a Patient ID: it is shown as sent.
    """
    try:
        given = dataset.get(keyword)
        parts = given if isinstance(given, MultiValue) else [given or ""]
        value = "\\".join(str(part) for part in parts)
    except (ValueError, TypeError, OverflowError):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()


class _AtPixels:
    """Stops pydicom before the pixels and remembers how they are announced.

    `passed_study`: an element came that stands behind the place of the Study Instance UID.
    """

    vr: str | None = None
    length: int | None = None
    passed_study = False

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self.passed_study |= tag > _STUDY
        if tag < _PIXELS:
            return False
        self.vr, self.length = vr, length
        return True


class _Header(NamedTuple):
    """What was read; `is_whole`: all that the dataset announces is there (deflated: not known).

    `passed_study`: the place of the Study Instance UID was passed, so one that is not there was
    never sent, rather than cut off.
    """

    dataset: Dataset
    is_whole: bool
    passed_study: bool


def _read(file: BinaryIO, syntax: UID) -> _Header:
    deflated = syntax == DeflatedExplicitVRLittleEndian
    source: BinaryIO = _inflate(file) if deflated else file
    pixels = _AtPixels()
    dataset = read_dataset(
        source,
        syntax.is_implicit_VR,
        syntax.is_little_endian,
        stop_when=pixels,
        specific_tags=_TAGS,
    )
    is_whole = _values_are_whole(dataset) and (deflated or _is_whole(file, pixels))
    return _Header(dataset, is_whole, pixels.passed_study or "StudyInstanceUID" in dataset)


def _values_are_whole(dataset: Dataset) -> bool:
    """Whether each value is as long as its element says; half a UID is a UID too."""
    for tag in _TAGS:
        element = dataset.get_item(tag) if tag in dataset else None
        if isinstance(element, RawDataElement) and len(element.value or b"") < element.length:
            return False
    return True


def _inflate(file: BinaryIO) -> BytesIO:
    """The beginning of a deflated dataset, bounded: a small file may inflate to gigabytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return BytesIO(inflater.decompress(file.read(_DEFLATED_BYTES), _INFLATED_BYTES))


def _is_whole(file: BinaryIO, pixels: _AtPixels) -> bool:
    """Whether the file is as long as its last element says; `file` stands where pydicom stopped."""
    position = file.tell()
    size = file.seek(0, 2)
    if pixels.length is None:
        return position <= size
    position += 12 if pixels.vr in _LONG_VRS else 8
    if pixels.length != 0xFFFFFFFF:
        return position + pixels.length <= size
    return _fragments_end(file, position, size) <= size


def _fragments_end(file: BinaryIO, position: int, size: int) -> int:
    """Where the encapsulated fragments end, or would (PS3.5 section A.4).

    What is not an item ends the walk: the decoder judges the pixels. The pad byte
    of an item of odd length may lie outside of it.
    """
    padded = False
    while position + 8 <= size:
        file.seek(position)
        *tag, length = struct.unpack("<HHI", file.read(8))
        if tuple(tag) == _ITEM:
            padded = length % 2 == 1
            position += 8 + length
        elif padded:
            padded = False
            position += 1
        else:
            break
    return position
