"""Reading who and what an instance is, from good and from damaged datasets."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from dicom_node.intake.identification import Identity, identify, require_same
from dicom_node.intake.statuses import RefusedError
from tests.scp_listening import EXPLICIT_LITTLE, item

DEFLATED = "1.2.840.10008.1.2.1.99"


def read(folder: Path, data: bytes, syntax: str = EXPLICIT_LITTLE) -> Identity:
    file = folder / "instance"
    file.write_bytes(b"head" + data)
    return identify(file, 4, syntax)


def refused(folder: Path, data: bytes, syntax: str = EXPLICIT_LITTLE) -> str:
    with pytest.raises(RefusedError) as caught:
        read(folder, data, syntax)
    assert caught.value.status == 0xC000
    return str(caught.value)


def with_pixels(header: bytes, pixels: bytes, length: int) -> bytes:
    return header + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, length) + pixels


def test_everything_that_is_asked_for_is_read(tmp_path: Path) -> None:
    one = item(AccessionNumber=" A1 ", StudyDate="20260131", PatientName="Müller^Ä")
    found = read(tmp_path, one[3])
    assert (found.accession_number, found.study_date) == ("A1", "20260131")
    assert (found.patient_id, found.modality, found.instance_number) == ("4711", "OT", "1")
    require_same(found, one[0], one[1])


def test_texts_may_be_missing(tmp_path: Path) -> None:
    found = read(tmp_path, item(PatientID=None, PatientName="", Modality=None)[3])
    assert (found.patient_id, found.patient_name, found.modality) == ("", "", "")


def test_control_characters_do_not_reach_the_database(tmp_path: Path) -> None:
    data = item(PatientID="47\x0011")[3]
    assert read(tmp_path, data).patient_id == "4711"


@pytest.mark.parametrize(
    "uid", ["1.2.3.0004", "1.2.826.0.1.34471.2.44.6.20021122091000..2", "1.2.3.4 "]
)
def test_sloppy_uids_that_do_no_harm_are_taken(tmp_path: Path, uid: str) -> None:
    assert read(tmp_path, item(StudyInstanceUID=uid)[3]).study_instance_uid == uid.strip()


def test_an_instance_without_a_study_gets_one_of_its_own(tmp_path: Path) -> None:
    one = item(StudyInstanceUID="", SeriesInstanceUID=None)
    found = read(tmp_path, one[3])
    assert found.is_orphan
    assert found.study_instance_uid == read(tmp_path, one[3]).study_instance_uid
    assert found.study_instance_uid.startswith("2.25.")
    assert not read(tmp_path, item()[3]).is_orphan


@pytest.mark.parametrize("series", ["1.2.3", None])
def test_an_object_without_pixels_may_lack_its_study_too(
    tmp_path: Path, series: str | None
) -> None:
    one = item(StudyInstanceUID=None, SeriesInstanceUID=series, Modality="SR", ContentDate=None)
    found = read(tmp_path, one[3])
    assert found.is_orphan
    assert found.series_instance_uid == (series or found.study_instance_uid)


def test_what_ends_before_the_place_of_the_study_may_have_been_cut_off(tmp_path: Path) -> None:
    one = item(StudyInstanceUID=None, SeriesInstanceUID=None, InstanceNumber=None)
    assert refused(tmp_path, one[3]) == "StudyInstanceUID is missing"


@pytest.mark.parametrize("keyword", ["SeriesInstanceUID", "SOPInstanceUID"])
def test_a_missing_uid_is_named(tmp_path: Path, keyword: str) -> None:
    assert refused(tmp_path, item(**{keyword: None})[3]) == f"{keyword} is missing"
    assert refused(tmp_path, item(**{keyword: ""})[3]) == f"{keyword} is missing"


@pytest.mark.parametrize("uid", ["1.2.TEST.3", "1." * 33 + "1", "1.2/../../etc"])
def test_a_malformed_uid_is_named_but_not_quoted(tmp_path: Path, uid: str) -> None:
    comment = refused(tmp_path, item(StudyInstanceUID=uid)[3])
    assert comment == "StudyInstanceUID is malformed"


def test_another_class_or_instance_than_announced_is_a_mismatch(tmp_path: Path) -> None:
    one = item()
    found = read(tmp_path, one[3])
    for announced in [("1.2.3", one[1]), (one[0], generate_uid())]:
        with pytest.raises(RefusedError) as caught:
            require_same(found, *announced)
        assert caught.value.status == 0xA900


def test_pixels_are_not_needed_but_must_all_be_there(tmp_path: Path) -> None:
    header = item()[3]
    assert read(tmp_path, with_pixels(header, bytes(100), 100))
    assert read(tmp_path, with_pixels(header, bytes(128), 100)), "padding after the pixels"
    assert refused(tmp_path, with_pixels(header, bytes(99), 100)) == "Dataset ends early"


def test_fragments_must_all_be_there(tmp_path: Path) -> None:
    header = item()[3]
    frame = struct.pack("<HHI", 0xFFFE, 0xE000, 10) + bytes(10)
    empty_table = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    whole = with_pixels(header, empty_table + frame + frame + end, 0xFFFFFFFF)
    assert read(tmp_path, whole)
    assert read(tmp_path, whole[:-8]), "some carts leave out the delimiter"
    assert refused(tmp_path, whole[:-10]) == "Dataset ends early"


def test_a_small_file_cannot_inflate_to_gigabytes(tmp_path: Path) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    header = item()[3]
    bomb = b"".join(deflater.compress(part) for part in [header, *[bytes(1 << 20)] * 40])
    found = read(tmp_path, bomb + deflater.flush(), DEFLATED)
    assert found.patient_id == "4711"


def test_sequences_without_end_are_refused(tmp_path: Path) -> None:
    nested = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nested += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    assert refused(tmp_path, nested * 5000)


@given(st.binary(max_size=300))
def test_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    refused(tmp_path_factory.getbasetemp(), noise)


@given(st.floats(0, 1, exclude_max=True))
def test_a_dataset_cut_anywhere_is_refused_or_all_its_uids_are_whole(
    tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    folder = tmp_path_factory.getbasetemp()
    one = item()
    whole = with_pixels(one[3], bytes(64), 64)
    try:
        found = read(folder, whole[: int(share * len(whole))])
    except RefusedError as error:
        assert error.status == 0xC000
    else:
        uids = (found.sop_instance_uid, found.study_instance_uid, found.series_instance_uid)
        full = read(folder, whole)
        assert uids == (full.sop_instance_uid, full.study_instance_uid, full.series_instance_uid)
