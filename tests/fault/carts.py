"""Senders as they stand in wards: DCMTK's storescu, which tries again what was not acknowledged."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.fault.auditor import content
from tests.fault.victims import CART
from tests.peers import require
from tests.studies import changed, phantom

_WAIT_S = 0.1


class Exams:
    """Studies without end: each a copy of one phantom study under UIDs and a patient of its own."""

    def __init__(self, folder: Path, loops: int = 2) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._models = phantom(folder / "model", 1, loops=loops)
        self._made = 0

    def next(self) -> list[Path]:
        """The files of a new study."""
        with self._lock:
            self._made += 1
            number = self._made
        folder = self._folder / f"{number:04}"
        folder.mkdir()
        study, series = generate_uid(), generate_uid()
        return [
            changed(
                model,
                folder / model.name,
                SOPInstanceUID=generate_uid(),
                StudyInstanceUID=study,
                SeriesInstanceUID=series,
                PatientID=f"FAULT-{number}",
            )
            for model in self._models
        ]


@dataclass
class Cart:
    """Sends study after study in a thread; `acknowledged` is what it was told, and may forget.

    `may_send` is asked before each study: a ward waits too when the node is far behind.
    """

    port: int
    exams: Exams
    may_send: Callable[[], bool]
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: int = 0

    def __post_init__(self) -> None:
        self._storescu = require("storescu")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self, timeout_s: float = 60) -> None:
        """Begin no more studies; returns when the last one is all acknowledged."""
        self._stopping.set()
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "a cart does not get rid of its study"

    def _run(self) -> None:
        while not self._stopping.wait(_WAIT_S):
            if not self.may_send():
                continue
            waiting = self.exams.next()
            while waiting:
                done = set(self._send(waiting))
                self.acknowledged |= {sop_instance_uid(file): content(file) for file in done}
                waiting = [file for file in waiting if file not in done]
                if waiting:
                    self._stopping.wait(_WAIT_S)

    def _send(self, files: Sequence[Path]) -> Iterator[Path]:
        """Send over one association; the files that were acknowledged with success."""
        options = ["-v", "-R", "-xy", "-aet", CART, "-aec", "ECHONODE", "-to", "5", "-td", "15"]
        said = subprocess.run(
            [self._storescu, *options, "127.0.0.1", str(self.port), *map(str, files)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        current: Path | None = None
        for line in (said.stdout + said.stderr).splitlines():
            if "Sending file: " in line:
                current = Path(line.partition("Sending file: ")[2].strip())
            elif "Received Store Response (Success)" in line and current:
                yield current
            elif "Received Store Response" in line:
                self.refused += 1


def sop_instance_uid(file: Path) -> str:
    """Which instance a file holds."""
    return str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
