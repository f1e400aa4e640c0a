"""A thousand studies through one node: what each process holds stays flat, each row is explained.

    python -m tests.fault.soak [--studies 1000] [--carts 3]

A whole node (SQLite, the demonstration's bundle on the processor) between carts that send small
studies of their own patients and DCMTK's storescp, with quiet periods of a second. Writes
`figures/soak.json` and `figures/soak.png`; exits 1 where something grows or a report is missing.
"""

import argparse
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from pydicom import dcmread
from pydicom.uid import generate_uid

import inference.bundle
from tests.fault import figures
from tests.fault.process_samples import LIMITS, Growth, Sample, growth, sample
from tests.node import Destination, Node, running_node
from tests.storescp import storescp
from tests.studies import phantom

mpl.use("Agg")
import matplotlib.pyplot as plt

_LOOPS = 2
_SAMPLE_S = 2.0
#: Studies that may wait for their report: as many as a busy laboratory has at once.
_UNDER_WAY = 8
_UNREPORTED_S = 300.0
FIGURES = Path(__file__).with_name("figures")
ROLES = ("listen", "work", "deliver")
DEMONSTRATION = Path(inference.bundle.__file__).with_name("demonstration")


class Soak:
    """One run: carts send, somebody counts, somebody samples."""

    def __init__(self, node: Node, sources: Sequence[Path], folder: Path) -> None:
        self._node = node
        self._sources = [dcmread(path) for path in sources]
        self._folder = folder
        self._pids = {role: node.pid(role) for role in ROLES}
        self._numbers = threading.Lock()
        self._begun = 0
        self._ended = threading.Event()
        self.reported = 0
        self.samples: dict[str, list[Sample]] = {role: [] for role in ROLES}

    def run(self, studies: int, carts: int) -> None:
        """Send so many studies, and wait until each is reported."""
        watching = threading.Thread(target=self._watch, daemon=True)
        watching.start()
        with ThreadPoolExecutor(carts) as pool:
            for sent in [pool.submit(self._cart, studies) for _ in range(carts)]:
                sent.result()
        deadline = time.monotonic() + _UNREPORTED_S
        while self.reported < studies and time.monotonic() < deadline:
            time.sleep(0.2)
        self._ended.set()
        watching.join()

    def died(self) -> list[str]:
        """Which processes are not those of the beginning."""
        return [role for role, pid in self._pids.items() if self._node.pid(role) != pid]

    def _cart(self, studies: int) -> None:
        while True:
            while self._begun - self.reported >= _UNDER_WAY:
                time.sleep(0.05)
            with self._numbers:
                if self._begun == studies:
                    return
                self._begun += 1
                files = self._new_study(self._begun)
            assert all(result.stored for result in self._node.send(files))
            shutil.rmtree(files[0].parent)

    def _new_study(self, number: int) -> list[Path]:
        """The same pictures as a study of another patient."""
        folder = self._folder / f"{number:05}"
        folder.mkdir(parents=True)
        study, series = generate_uid(), generate_uid()
        files = []
        for index, instance in enumerate(self._sources):
            instance.StudyInstanceUID, instance.SeriesInstanceUID = study, series
            instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            instance.PatientID, instance.AccessionNumber = f"SOAK{number}", f"A{number}"
            files.append(folder / f"{index}.dcm")
            instance.save_as(files[-1])
        return files

    def _watch(self) -> None:
        sample_due_s = 0.0
        with sqlite3.connect(f"file:{database_of(self._node)}?mode=ro", uri=True) as database:
            while not self._ended.wait(_SAMPLE_S / 4):
                self.reported = scalar(
                    database,
                    "SELECT count(*) FROM report WHERE NOT EXISTS (SELECT 1 FROM delivery"
                    " WHERE report_id = report.id AND state <> 'sent')",
                )
                if time.monotonic() >= sample_due_s:
                    sample_due_s = time.monotonic() + _SAMPLE_S
                    for role, pid in self._pids.items():
                        self.samples[role].append(sample(pid, self.reported))


def database_of(node: Node) -> Path:
    return node.folder / "state" / "node.db"


def scalar(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])


def explain(path: Path, studies: int) -> dict[str, dict[str, float]]:
    """Rows and bytes a study, by table; a table's indexes are counted with it."""
    with sqlite3.connect(path) as database:
        tables = database.execute(
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name)"
            " GROUP BY tbl_name"
        ).fetchall()
        return {
            name: {
                "bytes_a_study": size / studies,
                "rows_a_study": scalar(database, f'SELECT count(*) FROM "{name}"') / studies,
            }
            for name, size in sorted(tables, key=lambda row: -row[1])
            if size / studies >= 1
        }


def draw(samples: dict[str, list[Sample]], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    figure, axes = plt.subplots(len(LIMITS), 1, figsize=(7, 7), sharex=True)
    for axis, what in zip(axes, LIMITS, strict=True):
        for role, taken in samples.items():
            x = [item.studies for item in taken]
            axis.plot(x, [getattr(item, what) for item in taken], label=role)
        axis.set_ylabel(what.replace("_", " "))
        axis.set_ylim(bottom=0)
    axes[0].legend()
    axes[-1].set_xlabel("studies reported")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def soak(studies: int, carts: int, folder: Path) -> dict[str, Any]:
    """Run it; everything that was found."""
    sources = phantom(folder / "source", 1, loops=_LOOPS)
    node_folder = folder / "node"
    shutil.copytree(DEMONSTRATION, node_folder / "bundle")
    with storescp(folder / "pacs", "--ignore", "--fork") as pacs:
        destination = Destination("pacs", pacs.port, "PACS")
        options = {"quiet_s": 2.0, "release_quiet_s": 0.3}
        with running_node(node_folder, [destination], **options) as node:
            run = Soak(node, sources, folder / "sent")
            started_s = time.monotonic()
            run.run(studies, carts)
            duration_s = time.monotonic() - started_s
            died = run.died()
        path = database_of(node)
        with sqlite3.connect(path) as database:
            failed = scalar(database, "SELECT count(*) FROM job WHERE state <> 'done'")
        held: dict[str, dict[str, Growth]] = {
            role: {what: growth(taken, what) for what in LIMITS}
            for role, taken in run.samples.items()
        }
        draw(run.samples, FIGURES / "soak.png")
        return {
            "studies": studies,
            "reported": run.reported,
            "jobs_not_done": failed,
            "died": died,
            "duration_s": round(duration_s, 1),
            "processes": {
                role: {what: asdict(found) for what, found in by_what.items()}
                for role, by_what in held.items()
            },
            "is_flat": all(found.is_flat for what in held.values() for found in what.values()),
            "database_bytes": path.stat().st_size,
            "database": explain(path, studies),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--carts", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        found = soak(given.studies, given.carts, Path(folder))
    figures.write("soak", **found)
    missing = given.studies - found["reported"] + found["jobs_not_done"]
    good = found["is_flat"] and not missing and not found["died"]
    print(f"{found['reported']} of {given.studies} reported, flat: {found['is_flat']}")  # noqa: T201 - a command
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
