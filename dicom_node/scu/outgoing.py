"""An object on disk that is to be sent: what its File Meta group says, no more."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.scu.errors import NotSendableError

#: Between these two a dataset is converted on the way; everything else goes as it is.
CONVERTIBLE = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


@dataclass(frozen=True, slots=True)
class OutgoingObject:
    """One DICOM file to be sent; `syntaxes` are the transfer syntaxes we can send it in."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    syntaxes: tuple[str, ...]

    @property
    def contexts(self) -> tuple[tuple[str, str], ...]:
        """(SOP class, transfer syntax) pairs to propose, as it is on disk first."""
        return tuple((self.sop_class_uid, syntax) for syntax in self.syntaxes)


def read_outgoing(path: Path) -> OutgoingObject:
    """Read the File Meta group of a DICOM file (PS3.10 section 7.1).

    Raises:
        NotSendableError: it is no DICOM file, or class, UID or transfer syntax is missing.
    """
    try:
        meta = read_file_meta_info(path)
        stored = str(meta.TransferSyntaxUID)
        converted = tuple(syntax for syntax in CONVERTIBLE if stored in CONVERTIBLE)
        return OutgoingObject(
            path=path,
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            syntaxes=(stored, *(syntax for syntax in converted if syntax != stored)),
        )
    except (InvalidDicomError, AttributeError, EOFError, ValueError) as exc:
        raise NotSendableError("not a DICOM file with a complete File Meta group") from exc
