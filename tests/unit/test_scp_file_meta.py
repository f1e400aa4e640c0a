"""The head of a spool file never changes: digests would."""

import hashlib
from io import BytesIO

from pydicom.filereader import _read_file_meta_info, read_preamble

from dicom_node.intake.file_meta import file_meta

HEAD = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.3.4", "1.2.840.10008.1.2.4.50")


def test_pydicom_reads_what_was_sent_and_nothing_about_the_sender() -> None:
    head = BytesIO(file_meta(*HEAD))
    assert read_preamble(head, force=False)
    meta = _read_file_meta_info(head)
    assert head.read() == b""
    assert meta.MediaStorageSOPClassUID == HEAD[0]
    assert meta.MediaStorageSOPInstanceUID == HEAD[1]
    assert meta.TransferSyntaxUID == HEAD[2]
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert {element.keyword for element in meta} == {
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
    }


def test_the_same_instance_gives_the_same_bytes_in_every_release() -> None:
    assert hashlib.sha256(file_meta(*HEAD)).hexdigest() == GOLDEN


def test_values_that_are_no_uids_do_not_break_the_head() -> None:
    assert len(file_meta("", "é" * 70, "1.2")) % 2 == 0


GOLDEN = "7ab69724154063c5582f8aa5db640f7ae52ce925b25ae16f7ba4e292796b9369"
