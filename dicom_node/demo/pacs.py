"""The demonstration's PACS: Orthanc where it is installed, else a small storage SCP of our own."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from pydicom import dcmread

from dicom_node.demo.archive import SmallArchive
from dicom_node.demo.ports import free_port, wait_for_port


class Pacs(Protocol):
    """What the demonstration needs of a PACS."""

    name: str
    ae_title: str
    port: int

    def objects(self, study_instance_uid: str) -> list[bytes]:
        """The files it holds of a study."""

    def __enter__(self) -> Self:
        """Start it."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""


def find_pacs(folder: Path, *, bundled: bool = False) -> Pacs:
    """Orthanc where it is installed, else, or if wanted, the bundled archive."""
    orthanc = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    return OrthancPacs(orthanc, folder) if orthanc and not bundled else BundledPacs(folder)


class OrthancPacs:
    """An Orthanc of its own, reachable from this machine only."""

    name = "Orthanc"
    ae_title = "ORTHANC"

    def __init__(self, executable: str, folder: Path) -> None:
        self.port = free_port()
        self.http_port = free_port()
        self._executable = executable
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "orthanc.json"
        configuration.write_text(json.dumps(self._settings()), "utf-8")
        with (self._folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the installed Orthanc
                [self._executable, str(configuration)], stdout=log, stderr=log
            )
        wait_for_port(self.port, "Orthanc")
        wait_for_port(self.http_port, "Orthanc's REST API")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)

    def objects(self, study_instance_uid: str) -> list[bytes]:
        """The files it holds of a study, by its REST API."""
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_instance_uid}}
        found: list[str] = json.loads(self._ask("/tools/find", query))
        return [self._ask(f"/instances/{identifier}/file") for identifier in found]

    def _ask(self, path: str, body: Any = None) -> bytes:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(url, data, timeout=30) as answer:
            return bytes(answer.read())

    def _settings(self) -> dict[str, Any]:
        return {
            "Name": "echonode demonstration",
            "StorageDirectory": str(self._folder / "storage"),
            "IndexDirectory": str(self._folder / "storage"),
            "Plugins": [],
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpPort": self.http_port,
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowStore": True,
        }


class BundledPacs:
    """The bundled archive: it stores what it is sent, and that is all."""

    name = "bundled archive"
    ae_title = "ARCHIVE"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._archive = SmallArchive(folder, self.port, self.ae_title)

    def __enter__(self) -> Self:
        self._archive.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.stop()

    def objects(self, study_instance_uid: str) -> list[bytes]:
        """The files it holds of a study, by looking into each."""
        return [
            path.read_bytes()
            for path in sorted(self._folder.glob("*.dcm"))
            if dcmread(path, stop_before_pixels=True).StudyInstanceUID == study_instance_uid
        ]
