"""How fast the node receives, beside DCMTK's storescp, Orthanc, and the floor of this machine.

    python -m tests.benchmark.receive [--quick] [--folder FOLDER]

Makes its workloads, starts every receiver afresh for each run, lets them take turns, and writes
`receive.json`, `receive.png` and the section "Receive" of the README beside this file. FOLDER (a
temporary one by default) is where the receivers write: its disk is part of what is measured.
`--quick` sends less, once, and writes nothing here.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmark import measuring, receivers
from tests.benchmark import receive_workloads as workloads
from tests.benchmark.measuring import Figure
from tests.benchmark.receive_workloads import Workload

HERE = Path(__file__).resolve().parent
SUBJECT = "echonode"

Receiver = Callable[[Path], AbstractContextManager[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class Round:
    """One table: who receives what from how many senders."""

    title: str
    workload: Workload
    contestants: Mapping[str, Receiver]
    senders: int = 1
    no_delay: bool = True

    def measure(self, rounds: int, folder: Path) -> list[Figure]:
        """Let the contestants take turns."""
        runs = {
            name: partial(self._run, receiver, folder)
            for name, receiver in self.contestants.items()
        }
        return measuring.interleave(self.title, self.workload.unit, rounds, runs)

    def _run(self, receiver: Receiver, folder: Path) -> float:
        with (
            receivers.tcp_no_delay(self.no_delay),
            tempfile.TemporaryDirectory(dir=folder) as empty,
            receiver(Path(empty)) as (port, ae_title),
        ):
            rate = receivers.send(self.workload, port, ae_title, self.senders)
        os.sync()  # what one run left to write shall not slow the next
        return rate


def rounds_of(jpeg: Workload, raw: Workload, small: Workload) -> list[Round]:
    """Everything that is measured."""
    floors: dict[str, Receiver] = {
        "floor, no fsync": receivers.floor,
        "floor, fsync": partial(receivers.floor, options=("--fsync",)),
    }
    alone: dict[str, Receiver] = {SUBJECT: receivers.node, "storescp": receivers.storescp}
    preserving = partial(receivers.storescp, options=("+B",))
    pacs: dict[str, Receiver] = {"Orthanc": receivers.orthanc} if _has_orthanc() else {}
    burst: dict[str, Receiver] = {
        SUBJECT: partial(receivers.node, processes=2),
        f"{SUBJECT}, one process": receivers.node,
        "storescp --fork": partial(receivers.storescp, options=("--fork",)),
        **pacs,
    }
    few = len(small.files) // 10
    peers = alone | pacs
    return [
        Round("JPEG cines, 1 sender", jpeg, peers | floors),
        Round("raw RGB cines, 1 sender", raw, peers | {"storescp +B": preserving} | floors),
        Round("small objects, 1 sender", small, peers | floors),
        Round("JPEG cines, sender as it comes", jpeg, peers, no_delay=False),
        Round("small objects, sender as it comes", small.first(few), peers, no_delay=False),
        *(Round(f"JPEG cines, {count} senders", jpeg, burst, count) for count in (2, 4, 8)),
        Round("small objects, 8 senders", small, burst, 8),
    ]


def _has_orthanc() -> bool:
    return bool(shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin"))


#: Seen when receiving was profiled (py-spy with native frames, and a timeline of each object).
PROFILE = """\
**Profile.** Of a small object's 4.4 ms on one association, 1.7 go into recording it (0.8 SQL, 0.6
the commit's sync), 0.9 into making its file durable, 0.6 into reading its PDUs, 0.4 into reading
its identity; the rest is waiting for the sender. Statements that are built once instead of each
time took recording from 1.2 ms of CPU to 0.4. A cine's time is copying: socket to buffer, buffer
to page cache; its SHA-256 and its writing out run beside that on a second thread, which hides
most of both. What separates echonode from storescp is the sync (see the floors) and Python's own
work for each PDU; a small object waits for three syncs in a row: file, folder, commit."""


def report(tables: list[str], where: Mapping[str, str]) -> str:
    """The README's section."""
    machine = "; ".join(f"{name}: {value}" for name, value in where.items())
    how = (
        "`python -m tests.benchmark.receive`. Each receiver starts afresh for each run; senders "
        "are DCMTK's storescu. echonode is durable (fsync, rename, fsync of the folder, commit) "
        'before it answers; storescp syncs nothing; Orthanc is as it comes. Without "sender as it '
        'comes" all of DCMTK runs with TCP no-delay.'
    )
    picture = "![medians; whiskers from the lowest to the highest run](receive.png)"
    return "\n\n".join(["## Receive", how, f"Measured: {machine}.", *tables, PROFILE, picture])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything, once")
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant")
    arguments = parser.parse_args()
    where = measuring.machine()
    figures: list[Figure] = []
    tables: list[str] = []
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as made:
        folder = Path(made)
        quick = arguments.quick
        jpeg = workloads.jpeg_cines(folder, 10 if quick else 50)
        raw = workloads.raw_cines(folder, 1 if quick else 3)
        small = workloads.small_objects(folder, 200 if quick else 2000)
        for each in rounds_of(jpeg, raw, small):
            taken = each.measure(1 if quick else arguments.rounds, folder)
            figures += taken
            tables.append(measuring.table(taken, SUBJECT))
            print(tables[-1], flush=True)  # noqa: T201 - a command
    if not arguments.quick:
        measuring.write_json(HERE / "receive.json", where, figures)
        measuring.plot(HERE / "receive.png", "Receive", figures)
        measuring.write_section(HERE / "README.md", "receive", report(tables, where))


if __name__ == "__main__":
    main()
