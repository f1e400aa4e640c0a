"""Two carts, two profiles: what each one's report says of how its loops were selected."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from storage.files.spool import Spool
from storage.work.results import stored_objects
from tests.node import Node
from tests.peers import shared
from tests.studies import changed

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::UserWarning")]

#: A loop with a drawn ECG, one that is colour though it says tissue, and a still of M-mode.
CLIPS = ("godicom_hp_01", "godicom_toshiba_32", "godicom_toshiba_34")
OLD_CART = "OLDCART"


class TwoCarts(Node):
    """A node to which a second cart may send, whose loops follow rules of their own."""

    def configure(self) -> None:
        super().configure()
        with self.settings_file.open("a", encoding="utf-8") as settings:
            settings.write(
                f'\n[[peer]]\nname = "old cart"\nae_title = "{OLD_CART}"\n'
                'networks = ["127.0.0.1/32"]\nselection = "vendor-neutral"\n'
            )

    def report(self, study_instance_uid: str) -> Dataset:
        """The Structured Report of a study."""
        detail = self.wait_for_report(study_instance_uid)
        spool = Spool(self.folder / "state" / "spool", low_water_bytes=0)
        with self.database() as database, database.read() as tx:
            best = stored_objects(tx, detail.reports[-1].id, "SR")[0]
        return dcmread(spool.path(best.digest))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCarts]:
    running = TwoCarts(tmp_path_factory.mktemp("node"))
    try:
        running.start()
        yield running
    finally:
        if running.process:
            running.stop()


def study_of_clips(folder: Path, number: int) -> tuple[str, list[Path]]:
    """The clips as one study of one patient."""
    uid = f"2.25.{7000 + number}"
    files = []
    for position, name in enumerate(CLIPS, start=1):
        files.append(
            changed(
                shared("data", "us", f"{name}.dcm"),
                folder / f"{position}.dcm",
                StudyInstanceUID=uid,
                SeriesInstanceUID=f"{uid}.1",
                SOPInstanceUID=f"{uid}.1.{position}",
                PatientID="PROFILES",
                PatientName="PROFILES",
                PatientBirthDate="19500101",
                PatientAge=None,
                StudyDescription="Echocardiogram",
            )
        )
    return uid, files


def texts(report: Dataset) -> list[str]:
    """Every text of a report."""
    return [str(element.value) for element in report.iterall() if element.keyword == "TextValue"]


def test_each_cart_is_judged_by_its_profile_and_the_report_says_so(
    node: TwoCarts, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    by_paper, files = study_of_clips(tmp_path / "one", 1)
    assert all(result.stored for result in node.send(files))
    by_neutral, files = study_of_clips(tmp_path / "other", 2)
    assert all(result.stored for result in node.send(files, OLD_CART))

    said = texts(node.report(by_paper))
    assert any(
        "none of the 3 instances of the study is a B-mode cine loop" in text for text in said
    )
    assert (
        "Loops are selected by the profile paper; a sending system may have a profile of its own."
        in said
    )

    said = texts(node.report(by_neutral))
    assert "1 of 1 loops were selected by the profile vendor-neutral; " in " ".join(said)
    assert any("departs from the paper in essential_tags" in text for text in said)
    assert any("by the drawn ECG trace" in text for text in said)
    reasons = {
        made.reason_meaning
        for instance in node.study(by_neutral).instances
        for made in instance.preparations
        if not made.selected
    }
    assert reasons == {
        "Colour flow, not B-mode alone",
        "Ultrasound region is not two-dimensional",
    }
