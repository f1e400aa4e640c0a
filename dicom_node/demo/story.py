"""What the demonstration does, step by step, and what it prints."""

import io
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pydicom import Dataset, dcmread
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dicom_node import app
from dicom_node.demo.node import DemoNode
from dicom_node.demo.pacs import Pacs
from dicom_node.errors import DemoError
from dicom_node.report import wording
from dicom_node.report.rendering import as_text
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.sending import send_files
from dicom_node.settings.file import read_settings
from dicom_node.work.findings_codec import decode_findings
from storage.reading.browse import show_study
from storage.work import results

#: What every report consists of, and what one with an estimate has besides.
_ALWAYS, _WITH_ESTIMATE = frozenset({"SR", "SC"}), frozenset({"KOS"})
_KINDS = {"SR": "SR", "OT": "SC", "KO": "KOS"}
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """A study to send: its files, what is known of it, and whose report is shown."""

    title: str
    files: Sequence[Path]
    known: str
    pipeline: str

    @property
    def study_instance_uid(self) -> str:
        """The study that all its files belong to."""
        return str(dcmread(self.files[0], stop_before_pixels=True).StudyInstanceUID)


def tell(
    folder: Path,
    bundles: Mapping[str, Path],
    studies: Sequence[DemoStudy],
    pacs: Pacs,
    timeout_s: float,
) -> None:
    """Run node and PACS, send the studies, wait for the reports, print them.

    Raises:
        DemoError: something did not start, was refused or did not arrive; the message says what.
    """
    console = Console(highlight=False)
    with pacs:
        console.print(f"PACS  {pacs.name}, AE title {pacs.ae_title}, port {pacs.port}")
        with DemoNode(folder / "node", bundles, pacs) as node:
            console.print(f"Node  {node.ae_title}, port {node.port}, settings {node.settings_file}")
            started = time.monotonic()
            _send(node, studies, console)
            for study in studies:
                objects = _wait(pacs, study, timeout_s, node.log)
                waited_s = time.monotonic() - started
                _show(console, node, study, _save(objects, folder / "reports", study), waited_s)
    console.print(f"\nThe node's log: {node.log}. Ask its database: ", end="")
    console.print(f"echonode study list --config {node.settings_file}", soft_wrap=True)


def _send(node: DemoNode, studies: Sequence[DemoStudy], console: Console) -> None:
    remote = RemoteNode("node", "127.0.0.1", node.port, node.ae_title, "CART")
    files = [file for study in studies for file in study.files]
    columns = (TextColumn("C-STORE"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("send", total=len(files))
        for study in studies:
            sent = send_files(remote, study.files, lambda _: progress.advance(task))
            refused = [item for item in sent if not item.stored]
            if refused:
                raise DemoError(f"{refused[0].path.name} was not accepted: {refused[0].detail}")


def _wait(pacs: Pacs, study: DemoStudy, timeout_s: float, log: Path) -> dict[str, bytes]:
    """The report objects of a study, once all are in the PACS."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = {_KINDS[_modality(data)]: data for data in pacs.objects(study.study_instance_uid)}
        if found.keys() >= _ALWAYS and (
            found.keys() >= _WITH_ESTIMATE or not _has_estimate(found["SR"])
        ):
            return found
        time.sleep(_POLL_S)
    raise DemoError(f"no report of the study '{study.title}' after {timeout_s:.0f} s; see {log}")


def _has_estimate(report: bytes) -> bool:
    described = str(dcmread(io.BytesIO(report), stop_before_pixels=True).SeriesDescription)
    return wording.NO_ESTIMATE not in described


def _modality(data: bytes) -> str:
    return str(dcmread(io.BytesIO(data), stop_before_pixels=True).Modality)


def _save(objects: dict[str, bytes], folder: Path, study: DemoStudy) -> dict[str, Path]:
    """Keep copies of what the PACS holds, and the picture as PNG."""
    target = folder / study.title.replace(",", "").replace(" ", "-")
    target.mkdir(parents=True, exist_ok=True)
    saved: dict[str, Path] = {}
    for kind, data in objects.items():
        saved[kind] = target / f"{kind}.dcm"
        saved[kind].write_bytes(data)
    picture: Dataset = dcmread(saved["SC"])
    saved["picture"] = target / "picture.png"
    Image.fromarray(picture.pixel_array).save(saved["picture"])
    return saved


def _show(
    console: Console, node: DemoNode, study: DemoStudy, saved: dict[str, Path], waited_s: float
) -> None:
    settings = read_settings(node.settings_file)
    database = app.open_database(settings)
    with database.read() as tx:
        detail = show_study(tx, study.study_instance_uid)
        report = results.latest_report(tx, detail.summary.study_id, study.pipeline)
    database.close()
    if report is None:
        raise DemoError(f"the study '{study.title}' has no report in the database")
    console.rule(f"{study.title} ({study.known})")
    count = f"{len(study.files)} instance(s) sent"
    console.print(f"{count}; report in the PACS {waited_s:.1f} s after the first one of all left")
    console.print(as_text(decode_findings(report.findings_json)), markup=False, soft_wrap=True)
    for kind, path in saved.items():
        console.print(f"  {kind:8} {path}", soft_wrap=True)


def fresh(folder: Path) -> Path:
    """An empty folder for the demonstration; an earlier demonstration's is replaced.

    Raises:
        DemoError: the folder holds something else.
    """
    if folder.exists():
        strange = {path.name for path in folder.iterdir()} - {
            "pacs",
            "node",
            "reports",
            "studies",
        }
        if strange:
            raise DemoError(
                f"{folder} holds other files ({min(strange)}, ...): name another folder"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
