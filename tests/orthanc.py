"""Orthanc as a real PACS beside the tests: a process with its own folder on free ports."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers import free_port, listens, require, wait_until


class Orthanc:
    """One Orthanc that accepts everything from everybody on 127.0.0.1.

    `modalities` are the nodes it may send to: {symbolic name: (AE title, host, port)}.
    """

    def __init__(
        self,
        folder: Path,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, tuple[str, str, int]] | None = None,
        **configuration: object,
    ) -> None:
        self.ae_title = ae_title
        self.dicom_port = free_port()
        self.http_port = free_port()
        self._folder = folder
        self._modalities = modalities or {}
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until both ports answer."""
        executable = require("Orthanc")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "orthanc.json"
        path.write_text(json.dumps(self._settings()))
        with (self._folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen([executable, str(path)], stdout=log, stderr=log)
        wait_until(self._answers, 30, "Orthanc answers")

    def stop(self) -> None:
        """End it; what it stored stays in its folder for the next start."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def instances(self, **tags: str) -> list[str]:
        """The SOP Instance UIDs it holds, all or those with these attributes (keyword=value)."""
        found = self.find({"Level": "Instance", "Expand": True, "Query": tags})
        return [instance["MainDicomTags"]["SOPInstanceUID"] for instance in found]

    def file(self, sop_instance_uid: str) -> bytes:
        """The DICOM file of one instance, as it was received."""
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}
        (identifier,) = self.find(query)
        return self.content(identifier)

    def content(self, orthanc_id: str) -> bytes:
        """The DICOM file of one of Orthanc's own instance ids."""
        return self._request(f"/instances/{orthanc_id}/file")

    def find(self, query: Mapping[str, object]) -> list[Any]:
        """Orthanc's own /tools/find."""
        return list(json.loads(self._request("/tools/find", query)))

    def send(self, modality: str, orthanc_ids: list[str]) -> None:
        """Let it C-STORE resources that it holds to one of its modalities."""
        self._request(f"/modalities/{modality}/store", {"Resources": orthanc_ids})

    def ask_for_commitment(self, modality: str, references: Sequence[tuple[str, str]]) -> str:
        """Let it ask one of its modalities to commit instances: (SOP class, instance UID)."""
        instances = [
            {"SOPClassUID": class_uid, "SOPInstanceUID": uid} for class_uid, uid in references
        ]
        path = f"/modalities/{modality}/storage-commitment"
        return str(json.loads(self._request(path, {"DicomInstances": instances}))["ID"])

    def commitment(self, transaction: str) -> dict[str, Any]:
        """What it has heard of a commitment that it asked for."""
        return dict(json.loads(self._request(f"/storage-commitment/{transaction}")))

    def lose(self, sop_instance_uid: str) -> None:
        """Delete one instance behind everybody's back."""
        query = {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}
        (identifier,) = self.find(query)
        url = f"http://127.0.0.1:{self.http_port}/instances/{identifier}"
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30):
            pass

    def upload(self, path: Path) -> None:
        """Put a DICOM file into it through its REST API."""
        self._request("/instances", path.read_bytes())

    def _request(self, path: str, body: Mapping[str, object] | bytes | None = None) -> bytes:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.http_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as response:
            return bytes(response.read())

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"Orthanc ended: see {self._folder / 'orthanc.log'}")
        try:
            self._request("/system")
        except (urllib.error.URLError, OSError):
            return False
        return listens(self.dicom_port)

    def _settings(self) -> dict[str, object]:
        return {
            "Name": "test",
            "StorageDirectory": str(self._folder / "storage"),
            "IndexDirectory": str(self._folder / "storage"),
            "Plugins": [],
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpPort": self.http_port,
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": False,
            "DicomModalities": {
                name: [aet, host, port] for name, (aet, host, port) in self._modalities.items()
            },
            "StableAge": 1,
            "OverwriteInstances": False,
            **self._configuration,
        }


@contextmanager
def running_orthanc(folder: Path, ae_title: str = "ORTHANC", **settings: Any) -> Iterator[Orthanc]:
    """Orthanc for the length of a block."""
    orthanc = Orthanc(folder, ae_title, **settings)
    orthanc.start()
    try:
        yield orthanc
    finally:
        orthanc.stop()


def dicomweb() -> dict[str, object]:
    """The settings that make it a DICOMweb service at /dicom-web; skips without the plugin."""
    plugin = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    if not plugin.exists():
        pytest.skip("Orthanc's DICOMweb plugin is not installed")
    return {"Plugins": [str(plugin)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}}
