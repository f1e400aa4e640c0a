"""An instance that comes again with other bytes: by another route, edited, or really another."""

import json
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import imagecodecs
import numpy as np
import pytest
from click.testing import CliRunner
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.cli import cli
from dicom_node.intake.resending import CORRECTABLE, SHOWN
from dicom_node.report.context import IDENTITY_KEYWORDS
from storage.alarms import about_studies
from storage.audit.trail import Action
from storage.corrections import ordered
from storage.corrections.ordered import Identification
from storage.states import AlarmKind
from storage.studies import orders
from tests.peers import shared
from tests.scp_listening import Item, Node, listening, parts, peer, send

CORRECTOR = peer("PACS", may=frozenset({"echo", "store", "correct"}))


def sent(dataset: Dataset) -> Item:
    """A dataset as its sender would send it."""
    buffer = BytesIO()
    for _ in dataset.iterall():
        pass  # each value is converted, so that it can be written in another byte order
    dcmwrite(buffer, dataset, enforce_file_format=True)
    with NamedTemporaryFile(suffix=".dcm") as file:
        file.write(buffer.getvalue())
        file.flush()
        return parts(Path(file.name))


def native() -> Dataset:
    return dcmread(shared("cases", "base-native.dcm"))


def jpeg() -> Dataset:
    return dcmread(shared("cases", "base-jpeg.dcm"))


def changed(make: Callable[[], Dataset], **values: object) -> Dataset:
    dataset = make()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _implicit() -> Dataset:
    dataset = native()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return dataset


def _big_endian() -> Dataset:
    dataset = native()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset["PixelData"].VR = "OB"
    return dataset


def _rle() -> Dataset:
    dataset = native()
    dataset.compress(RLELossless, generate_instance_uid=False)
    return dataset


def _planar() -> Dataset:
    dataset = native()
    shape = (int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns, 3)
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: int(np.prod(shape))].reshape(shape)
    dataset.PixelData = np.moveaxis(pixels, -1, 1).tobytes()
    dataset.PlanarConfiguration = 1
    return dataset


def _stamped() -> Dataset:
    dataset = native()
    block = dataset.private_block(0x0021, "ROUTER 1", create=True)
    block.add_new(1, "LO", "stamped")
    dataset.RetrieveAETitle = "PACS"
    dataset.InstanceAvailability = "ONLINE"
    dataset.StorageMediaFileSetUID = "1.2.3"
    dataset.file_meta.SourceApplicationEntityTitle = "ROUTER"
    dataset.add_new(0x00080000, "UL", 1234)
    return dataset


def _decompressed(quirk: str = "") -> Dataset:
    """The JPEG case as a PACS decompresses it: RGB, native."""
    dataset = jpeg()
    frames = [
        imagecodecs.jpeg8_decode(frame, outcolorspace="rgb")
        for frame in generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames)
    ]
    stack = np.stack(frames)
    if quirk == "another picture":
        stack[:, stack.shape[1] // 3 : stack.shape[1] // 2] = (
            255 - stack[:, stack.shape[1] // 3 : stack.shape[1] // 2]
        )
    dataset.PixelData = stack.tobytes()
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = False
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "10"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _other_fragments() -> Dataset:
    dataset = jpeg()
    frames = list(generate_frames(dataset.PixelData, number_of_frames=dataset.NumberOfFrames))
    dataset.PixelData = encapsulate(frames, fragments_per_frame=2)
    return dataset


ROUTES: dict[str, tuple[Callable[[], Dataset], Callable[[], Dataset], str]] = {
    "implicit VR": (native, _implicit, "transfer syntax Implicit VR Little Endian"),
    "big endian": (native, _big_endian, "transfer syntax Explicit VR Big Endian"),
    "RLE": (native, _rle, "transfer syntax RLE Lossless"),
    "by planes": (native, _planar, ""),
    "stamped by a router": (native, _stamped, "private elements; elements of storing"),
    "decompressed": (jpeg, _decompressed, "transfer syntax Explicit VR Little Endian"),
    "other fragments": (jpeg, _other_fragments, ""),
    "padded name": (native, lambda: changed(native, PatientName="BUG^PROBE^^"), ""),
}


@pytest.mark.parametrize("name", ROUTES)
@pytest.mark.parametrize("turned", [False, True], ids=["", "the other way round"])
def test_the_same_instance_by_another_route_is_no_conflict(
    tmp_path: Path, name: str, turned: bool
) -> None:
    first, second, route = ROUTES[name]
    pair = [sent(first()), sent(second())]
    assert pair[0][3] != pair[1][3]
    with listening(tmp_path) as node:
        assert send(node.port, *(reversed(pair) if turned else pair)) == [0, 0]
        assert node.events(Action.INSTANCE_CONFLICT) == []
        [event] = node.events(Action.INSTANCE_DUPLICATE)
        assert turned or route in str(event.detail.get("route", ""))
        [study] = node.studies()
        assert len(study.instances) == 1


OTHERS: dict[str, tuple[Callable[[], Dataset], Callable[[], Dataset]]] = {
    "another picture": (jpeg, lambda: _decompressed("another picture")),
    "one sample of one frame": (
        native,
        lambda: changed(native, PixelData=_touched(native().PixelData)),
    ),
    "a frame less": (native, lambda: _shorter(native())),
    "another frame time": (native, lambda: changed(native, FrameTime="77.0")),
    "another series": (native, lambda: changed(native, SeriesInstanceUID="1.2.3.4")),
    "a blanked name": (native, lambda: changed(native, PatientName="")),
}


def _touched(pixels: bytes) -> bytes:
    return bytes([pixels[0] ^ 0x80]) + pixels[1:]


def _shorter(dataset: Dataset) -> Dataset:
    frame = len(dataset.PixelData) // int(dataset.NumberOfFrames)
    dataset.NumberOfFrames = int(dataset.NumberOfFrames) - 1
    dataset.PixelData = dataset.PixelData[:-frame]
    return dataset


@pytest.mark.parametrize("name", OTHERS)
def test_another_content_stays_a_conflict(tmp_path: Path, name: str) -> None:
    first, second = OTHERS[name]
    with listening(tmp_path, CORRECTOR) as node:
        pair = sent(first()), sent(second())
        assert send(node.port, *pair, calling="PACS") == [0, 0x0111]
        [event] = node.events(Action.INSTANCE_CONFLICT)
        assert event.detail["differs_in"]
        assert standing(node) == {}


def standing(node: Node) -> dict[AlarmKind, str]:
    with node.database.read() as tx:
        return dict(about_studies.standing(tx, 1))


EDITS = {
    "PatientID": "P-9",
    "PatientName": "Roe^Rick",
    "PatientBirthDate": "19600101",
    "PatientSex": "M",
    "AccessionNumber": "A-9",
    "StudyDescription": "another",
    "StudyDate": "20260116",
    "ReferringPhysicianName": "Who^Dr",
    "IssuerOfPatientID": "B",
}


@pytest.mark.parametrize("keyword", [*EDITS, "StudyID", "PatientAge", "SeriesDescription"])
def test_an_edited_instance_raises_an_alarm(tmp_path: Path, keyword: str) -> None:
    edited = changed(native, **{keyword: EDITS.get(keyword, "033Y")})
    with listening(tmp_path) as node:
        assert send(node.port, sent(native()), sent(edited)) == [0, 0x0111]
        [about] = standing(node).values()
        assert f"cart sent instances again with other values of {keyword};" in about
        [event] = node.events(Action.INSTANCE_CONFLICT)
        assert event.detail[f"{keyword}_new"] == str(edited.get(keyword))


def test_with_the_right_given_an_edit_is_a_correction(tmp_path: Path) -> None:
    edited = sent(changed(native, **EDITS, OtherPatientIDs="X"))
    with listening(tmp_path, CORRECTOR) as node:
        assert send(node.port, sent(native()), edited, edited, calling="PACS") == [0, 0, 0]
        assert standing(node) == {}
        with node.database.read() as tx:
            [order] = ordered.corrections_of(tx, 1)
            identification = ordered.standing_of(tx, 1).identification
        assert order.actor == "peer pacs"
        assert identification == {
            name: EDITS[keyword] for name, keyword in CORRECTABLE.items() if keyword in EDITS
        }
        [study] = node.studies()
        assert (study.summary.patient_id, study.summary.patient_conflict) == ("P-9", False)
        assert len(node.events(Action.INSTANCE_EDITED)) == 1
        assert len(node.events(Action.DEMOGRAPHICS_CORRECTED)) == 1


def test_what_cannot_be_corrected_is_an_alarm_with_the_right_too(tmp_path: Path) -> None:
    with listening(tmp_path, CORRECTOR) as node:
        pair = sent(native()), sent(changed(native, PatientID="P-9", StudyTime="111111"))
        assert send(node.port, *pair, calling="PACS") == [0, 0x0111]
        assert "StudyTime, PatientID" in standing(node)[AlarmKind.EDITED]


def test_an_alarm_ends_with_the_correction_and_the_resend_is_welcome_then(tmp_path: Path) -> None:
    edited = sent(changed(native, PatientID="P-9"))
    settings = tmp_path / "node.toml"
    settings.write_text("")
    with listening(tmp_path / "state") as node:
        assert send(node.port, sent(native()), edited) == [0, 0x0111]
        run = CliRunner().invoke(
            cli, ["study", "list", "--alarms", "--json", "--config", str(settings)]
        )
        # The listener's log lines, of this same process, may stand before it.
        [alarm] = json.loads(run.stdout[run.stdout.index("{\n") :])["rows"]
        assert "other values of PatientID" in alarm["about"]
        order = orders.Order(actor="eve", at=_at(node), reason="merged", pipelines=[])
        with node.database.write() as tx:
            ordered.correct_identification(tx, 1, Identification(patient_id="P-9"), order)
        assert standing(node) == {}
        assert send(node.port, edited) == [0]
        assert standing(node) == {}


def _at(node: Node) -> datetime:
    return node.events()[-1].at


def test_a_file_that_is_gone_or_damaged_is_not_compared(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        assert send(node.port, sent(native())) == [0]
        [stored] = node.spool_files()
        stored.chmod(0o600)
        stored.write_bytes(stored.read_bytes()[:2000])
        assert send(node.port, sent(_rle())) == [0x0111]
        stored.unlink()
        assert send(node.port, sent(_implicit())) == [0x0111]
        assert len(node.events(Action.INSTANCE_CONFLICT)) == 2


def test_all_that_a_report_copies_from_a_header_is_looked_at() -> None:
    copied = {*IDENTITY_KEYWORDS.values(), "InstitutionName"}
    # The UID makes it another study; the offset is of the device that sent it.
    assert copied - {"StudyInstanceUID", "TimezoneOffsetFromUTC"} <= SHOWN
