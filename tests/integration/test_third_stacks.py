"""The node among stacks that nobody here wrote: DCMTK, GDCM, PixelMed, dcmjs-dimse."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.report import build
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from tests.peers import shared
from tests.report_cases import IDENTITY, MADE_AT, estimate, study
from tests.scp_listening import listening, peer
from tests.studies import phantom
from tests.third_stacks.stacks import STACKS, Send, dcmjs_archive

pytestmark = pytest.mark.long

#: What each of eight senders sends: clips of many makers, some of one study.
PARCELS = (
    ("DCMTK", ("agilent_echo_10f", "godicom_acuson_07", "godicom_hp_01")),
    ("DCMTK", ("godicom_acuson_08", "ge_vivid7_cfm_19f", "godicom_toshiba_31")),
    ("DCMTK", ("derived_philips_affiniti70_echo_5f", "godicom_acuson_09")),
    ("GDCM", ("godicom_acuson_10", "godicom_hp_02")),
    ("GDCM", ("philips_cx50_ob_2f_pal_rle", "godicom_acuson_11")),
    ("PixelMed", ("godicom_acuson_12", "godicom_toshiba_32")),
    ("PixelMed", ("godicom_acuson_13", "godicom_hp_03")),
)


def uids(files: list[Path]) -> set[str]:
    return {str(dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID) for file in files}


@pytest.mark.parametrize("send", STACKS.values(), ids=STACKS)
def test_each_stack_stores(tmp_path: Path, send: Send) -> None:
    files = phantom(tmp_path / "study", 31)[:2]
    with listening(tmp_path / "node") as node:
        send(node.port, "CART", files)
        held = {instance.sop_instance_uid for each in node.studies() for instance in each.instances}
        assert held == uids(files)


def test_eight_senders_of_four_stacks_interleave_the_clips_of_many_vendors(tmp_path: Path) -> None:
    parcels = [
        (stack, [shared("data", "us", f"{name}.dcm") for name in names]) for stack, names in PARCELS
    ]
    # dcmjs-dimse cannot encode what real carts write (dates of ten characters), so it sends ours.
    parcels.append(("dcmjs-dimse", phantom(tmp_path / "study", 32)))
    carts = [peer(f"CART{number}") for number in range(len(parcels))]
    with listening(tmp_path / "node", *carts) as node, ThreadPoolExecutor(8) as senders:
        sent = [
            senders.submit(STACKS[stack], node.port, cart.calling_ae_title, files)
            for cart, (stack, files) in zip(carts, parcels, strict=True)
        ]
        for each in sent:
            each.result()
        held = [
            (each.summary.study_instance_uid, one.sop_instance_uid)
            for each in node.studies()
            for one in each.instances
        ]
    headers = [dcmread(file, stop_before_pixels=True) for _, files in parcels for file in files]
    assert sorted(held) == sorted((each.StudyInstanceUID, each.SOPInstanceUID) for each in headers)


def test_dcmjs_dimse_takes_our_report_in_every_form(tmp_path: Path) -> None:
    files = []
    for item in build(estimate(), study(), identity=IDENTITY, made_at=MADE_AT):
        files.append(tmp_path / f"{item.kind}-{item.preference}.dcm")
        files[-1].write_bytes(item.data)
    with dcmjs_archive(tmp_path / "archive") as port:
        remote = RemoteNode("archive", "127.0.0.1", port, "ARCHIVE", "ECHONODE")
        assert [result.stored for result in send_files(remote, files)] == [True] * len(files)
        held = [dcmread(file) for file in (tmp_path / "archive").iterdir()]
    assert {each.SOPInstanceUID for each in held} == uids(files)
    assert all(each.PatientName == dcmread(files[0]).PatientName for each in held)
