"""Instances in: real carts' files over real associations, kept byte for byte."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import __version__ as pynetdicom_version

from storage.audit.trail import Action
from tests.peers import require, shared
from tests.scp_listening import (
    associated,
    digest,
    encoded,
    item,
    listening,
    parts,
    peer,
    send,
    store,
)

#: Real files with a defect that an archive must not hide, and what they are answered with.
KNOWN = {
    "ge_vivid_e95_mmode_still.dcm": 0xB007,  # its Study Instance UID was blanked
}


def test_the_adapter_was_tried_with_this_pynetdicom() -> None:
    assert pynetdicom_version.startswith("3.0."), (
        "read spooling.py, reactor.py, connection.py and transport.py again"
    )


def test_every_real_clip_arrives_byte_for_byte_in_one_go(tmp_path: Path) -> None:
    files = sorted(shared("data", "us").glob("*.dcm"))
    items = [parts(file) for file in files]
    with listening(tmp_path) as node:
        statuses = dict(zip([file.name for file in files], send(node.port, *items), strict=True))
        [again] = node.events(Action.INSTANCE_DUPLICATE)
        # acme_pal_echo_10f_rle.dcm is acme_pal_echo_10f_jpegls.dcm by another route.
        assert "RLE Lossless instead of JPEG-LS" in str(again.detail["route"])
        assert {name: status for name, status in statuses.items() if status} == KNOWN
        kept = {
            digest(one[3])
            for one, status in zip(items, statuses.values(), strict=True)
            if status in (0x0000, 0xB007)
        }
        assert kept <= node.dataset_digests()


@pytest.mark.parametrize("folder", ["cxr", "ecg", "sr"])
def test_xrays_waveforms_and_reports_arrive_too(tmp_path: Path, folder: str) -> None:
    items = [parts(file) for file in sorted(shared("data", folder).glob("*.dcm"))]
    with listening(tmp_path) as node:
        assert set(send(node.port, *items)) <= {0, 0x0111}
        assert node.dataset_digests() == {digest(one[3]) for one in items}


@pytest.mark.parametrize("folder", ["ecg", "sr"])
def test_waveforms_and_reports_without_a_study_are_kept_with_a_warning(
    tmp_path: Path, folder: str
) -> None:
    file = sorted(shared("data", folder).glob("*.dcm"))[0]
    dataset = dcmread(file)
    del dataset.StudyInstanceUID
    syntax = dataset.file_meta.TransferSyntaxUID
    one = (
        str(dataset.SOPClassUID),
        str(dataset.SOPInstanceUID),
        str(syntax),
        encoded(dataset, implicit=syntax.is_implicit_VR),
    )
    with listening(tmp_path) as node:
        assert send(node.port, one) == [0xB007]
        assert node.dataset_digests() == {digest(one[3])}


def test_everything_nasty_gets_a_status_and_the_listener_lives(tmp_path: Path) -> None:
    files = sorted(shared("data", "nasty").glob("*.dcm"))
    with listening(tmp_path) as node:
        statuses = {file.name: send(node.port, parts(file))[0] for file in files}
        assert set(statuses.values()) <= {0x0000, 0xB007, 0xA900, 0xC000}, statuses
        assert statuses["pydicom__MR_truncated.dcm"] == 0xC000
        assert statuses["mercure-imaging__mandel.dcm"] == 0xB007
        refused = node.events(Action.INSTANCE_REFUSED)
        assert len(refused) == sum(status in (0xA900, 0xC000) for status in statuses.values())
        assert send(node.port, item()) == [0]
        assert not list(node.spool.root.rglob("*.part"))


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("godicom_toshiba_34.dcm", "-xe"),
        ("philips_clearvue_pal_implicit_still.dcm", "-xi"),
        ("ge_vivid7_cfm_19f.dcm", "-xy"),
        ("acme_execho_8f_j2k.dcm", "-xv"),
        ("acme_pal_echo_10f_jpegls.dcm", "-xt"),
        ("ge_logiq700_us1_rle_still.dcm", "-xr"),
    ],
)
def test_storescu_sends_each_encoding(tmp_path: Path, name: str, option: str) -> None:
    file = shared("data", "us", name)
    with listening(tmp_path) as node:
        command = [require("storescu"), "-v", "-R", option, "-aet", "CART", "-aec", "ECHONODE"]
        done = subprocess.run(
            [*command, "127.0.0.1", str(node.port), str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Received Store Response (Success)" in done.stderr
        [kept] = node.spool_files()
        assert dcmread(kept).SOPInstanceUID == dcmread(file).SOPInstanceUID
        assert dcmread(kept).PixelData == dcmread(file).PixelData


def test_dcmsend_sends_mixed_encodings_without_transcoding(tmp_path: Path) -> None:
    names = ["godicom_acuson_07.dcm", "acme_pal_echo_10f_rle.dcm", "godicom_toshiba_34.dcm"]
    files = [str(shared("data", "us", name)) for name in names]
    with listening(tmp_path) as node:
        command = [
            require("dcmsend"),
            "-v",
            "--decompress-never",
            "-aet",
            "CART",
            "-aec",
            "ECHONODE",
        ]
        done = subprocess.run(
            [*command, "-aec", "ECHONODE", "127.0.0.1", str(node.port), *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        kept = {dcmread(file).file_meta.TransferSyntaxUID for file in node.spool_files()}
        assert kept == {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1"}


def test_what_was_kept_can_be_read_as_a_file(tmp_path: Path) -> None:
    one = item(PatientName="Doe^Jane")
    with listening(tmp_path) as node:
        assert send(node.port, one) == [0]
        [kept] = node.spool_files()
        assert dcmread(kept).PatientName == "Doe^Jane"
        assert dcmread(kept).file_meta.TransferSyntaxUID == one[2]
        [study] = node.studies()
        assert kept.name == f"{study.instances[0].digest}.dcm"


def test_the_same_instance_again_is_success_and_nothing_new(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path, peer("CART"), peer("PACS")) as node:
        assert send(node.port, one, one) == [0, 0]
        assert send(node.port, one, calling="PACS") == [0]
        assert len(node.spool_files()) == 1
        assert len(node.events(Action.INSTANCE_STORED)) == 1
        assert len(node.events(Action.INSTANCE_DUPLICATE)) == 2


def test_other_bytes_under_a_known_uid_are_kept_aside_and_refused(tmp_path: Path) -> None:
    one = item()
    other = changed(one)
    with listening(tmp_path, peer("CART"), peer("PACS", on_conflict="keep_first")) as node:
        assert send(node.port, one, other) == [0, 0x0111]
        assert send(node.port, other, calling="PACS") == [0]
        assert node.dataset_digests() == {digest(one[3]), digest(other[3])}
        [study] = node.studies()
        assert len(study.instances) == 1
        assert len(node.events(Action.INSTANCE_CONFLICT)) == 2


def test_a_sender_that_lies_about_the_instance_is_refused_with_a_reason(tmp_path: Path) -> None:
    one = item()
    liar = (one[0], "1.2.3.4", one[2], one[3])
    with listening(tmp_path) as node, associated(node.port, [liar]) as association:
        response = store(association, liar)
        assert response.Status == 0xA900
        assert response.ErrorComment == "SOP Instance UID differs from the request's"
        assert int(store(association, one).Status) == 0
        [refused] = node.events(Action.INSTANCE_REFUSED)
        assert refused.sop_instance_uid == "1.2.3.4"
        assert refused.peer == "cart"


def test_a_sender_that_lies_about_the_class_is_refused(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path) as node, associated(node.port, [one]) as association:
        response = store(association, one, class_uid="1.2.840.10008.5.1.4.1.1.6.1")
        assert response.Status == 0xA900
        assert node.spool_files() == []


def test_a_request_without_a_dataset_is_refused(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path) as node:
        assert send(node.port, (*one[:3], b"\0" * 4)) == [0xC000]


def test_a_peer_that_may_only_verify_is_told_so_and_nothing_is_kept(tmp_path: Path) -> None:
    one = item()
    with listening(tmp_path, peer("CART", may=frozenset({"echo"}))) as node:
        assert send(node.port, one, one) == [0x0124, 0x0124]
        assert node.spool_files() == []
        assert len(node.events(Action.INSTANCE_REFUSED)) == 2


def test_a_dataset_of_many_fragments_is_one_instance(tmp_path: Path) -> None:
    dataset = dcmread(shared("data", "us", "godicom_toshiba_34.dcm"))
    del dataset.file_meta
    data = encoded(dataset)
    one = (str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), "1.2.840.10008.1.2.1", data)
    with listening(tmp_path, maximum_pdu_bytes=4096) as node:
        assert send(node.port, one) == [0]
        assert node.dataset_digests() == {digest(data)}


def changed(one: tuple[str, str, str, bytes]) -> tuple[str, str, str, bytes]:
    return (*one[:3], one[3].replace(b"Doe^Jane", b"Doe^June"))
