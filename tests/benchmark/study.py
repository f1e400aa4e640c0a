"""How long a study waits for its report: from "complete", or its last image, to "SR accepted".

    python -m tests.benchmark.study [--quick] [--evening-s 120]

A whole node (SQLite, the small encoder) and DCMTK's storescp as the PACS. Writes `study.json`,
`study.png` and the section "Study" of the README beside this file; `--quick` sends less, once, and
writes nothing here. The evening of an echo lab, 40 studies in 20 minutes, is compressed into
`--evening-s`; 1200 is as it is.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from dicom_node.demo.cast import BUNDLES
from dicom_node.scu.outgoing import read_outgoing
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.storing import StoreAssociation
from inference.phantom import make_study
from inference.phantom.haemodynamics import expected
from inference.phantom.patients import make_pair
from storage import tables
from tests.benchmark import measuring
from tests.benchmark.measuring import Figure
from tests.node import CART, Destination, Node, running_node
from tests.storescp import storescp

HERE = Path(__file__).resolve().parent
#: A cart sends loops of 4 MB over 100 Mbit/s.
CART_LOOPS_PER_S = 3.0
_RELEASE_QUIET_S = 1.0
_ECG = f"[[pipeline]]\nname = 'ecg_ph'\nbundle = '{BUNDLES['ecg_ph']}'\ndevice = 'cpu'"
_EVENING_STUDIES, _EVENING_LOOPS = 40, 12

#: Seen when the way of a study was profiled; the table above it is what was measured now.
PROFILE = """\
**Profile** (cProfile of the report of 120 loops; CPU seconds on one thread under load, so read the
shares). Of 1.0 s, fusion with every leave-one-out is 0.006 (128 features a loop; 0.017 with 2048),
unpacking the stored features 0.15, the rest is the report: half of it builds the content tree
(2,200 items, each checked by highdicom), a quarter encodes it once for all three SR classes, a
seventh reads all objects again to check them. Three fifths of unpacking was the decoding of
previews of which three are drawn; they are stored no higher now than they are drawn.
The garbage collector and highdicom's doubled check of each sequence cost no more than the noise
and were left. Beside the processor, the deliverer's poll (0.1 s in the middle) and the PACS's
association are waited for."""


@dataclass(frozen=True, slots=True)
class Study:
    """Files of one made study."""

    uid: str
    files: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds until the SR is accepted, since the study was complete and since its last image."""

    from_complete_s: float
    from_last_image_s: float


def copy_of(sources: Sequence[Path], loops: int, folder: Path) -> Study:
    """A study of so many loops, its own UIDs throughout; sources repeat where they are too few."""
    study, series = generate_uid(), generate_uid()
    folder.mkdir(parents=True)
    files = []
    for number in range(loops):
        instance = dcmread(sources[number % len(sources)])
        instance.StudyInstanceUID, instance.SeriesInstanceUID = study, series
        instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        files.append(folder / f"{number:03}.dcm")
        instance.save_as(files[-1])
    return Study(str(study), files)


def send(node: Node, loops_per_s: float | None, study: Study) -> datetime:
    """Send a study, no faster than given; when its last image was acknowledged."""
    objects = [read_outgoing(file) for file in study.files]
    with StoreAssociation(
        RemoteNode("node", "127.0.0.1", node.port, "ECHONODE", CART), objects
    ) as association:
        for item in objects:
            started_s = time.monotonic()
            assert association.send(item).stored
            if loops_per_s:
                time.sleep(max(0.0, 1 / loops_per_s - (time.monotonic() - started_s)))
        return datetime.now(UTC)


def waits(
    node: Node,
    studies: Sequence[Study],
    *,
    loops_per_s: float | None = None,
    apart_s: float = 0.0,
) -> list[Waits]:
    """Send studies side by side, or one starting `apart_s` after the other; wait for all SRs."""
    with ThreadPoolExecutor(len(studies)) as carts:
        sending = []
        for study in studies:
            sending.append(carts.submit(send, node, loops_per_s, study))
            time.sleep(apart_s)
        sent = [result.result() for result in sending]
    for study in studies:
        node.wait_for_report(study.uid, timeout_s=600)
    return [_waits(node, study, at) for study, at in zip(studies, sent, strict=True)]


def _waits(node: Node, study: Study, sent_at: datetime) -> Waits:
    with node.database() as database, database.read() as tx:
        row = tx.execute(
            select(tables.StudyRevision.completed_at, tables.Delivery.finished_at)
            .join(tables.Study, tables.Study.id == tables.StudyRevision.study_id)
            .join(tables.Report, tables.Report.study_id == tables.Study.id)
            .join(tables.Delivery, tables.Delivery.report_id == tables.Report.id)
            .where(
                tables.Study.study_instance_uid == study.uid,
                tables.StudyRevision.revision == 1,
                tables.Delivery.kind == "SR",
            )
        ).one()
    return Waits(
        (row.finished_at - row.completed_at).total_seconds(),
        (row.finished_at - sent_at).total_seconds(),
    )


def measure(folder: Path, *, quick: bool, evening_s: float) -> list[Figure]:
    """Studies of several sizes from a cart, several at once as a burst, and an evening."""
    sources = make_study(folder / "source", expected(38, 11), size="small", loops=6, decoys=False)
    with storescp(folder / "pacs") as pacs:
        destination = Destination("pacs", pacs.port, "PACS")
        with running_node(
            folder / "node", [destination], release_quiet_s=_RELEASE_QUIET_S, quiet_s=30
        ) as node:
            made = partial(_made, sources, folder)
            waits(node, made("warm", 1, 2))
            loops = [
                *_from_cart(node, made, (5,) if quick else (10, 50, 120), 1 if quick else 5),
                *_in_bursts(node, made, (2,) if quick else (1, 4, 16), 1 if quick else 3),
                *([] if quick else _evening(node, made, evening_s)),
            ]
        ecgs = [Destination("pacs", pacs.port, "PACS")]
        with running_node(folder / "ecg-node", ecgs, pipelines=_ECG, quiet_s=30) as node:
            return [*loops, _ecgs(node, folder / "ecgs", 3 if quick else 15)]


def _ecgs(node: Node, folder: Path, rounds: int) -> Figure:
    """Studies of one ECG of twelve leads, one after the other."""
    made = [
        Study(str(dcmread(pair.ecg).StudyInstanceUID), [pair.ecg])
        for pair in (
            make_pair(folder / str(number), expected(38, 11), seed=number)
            for number in range(rounds + 1)
        )
    ]
    found = [waits(node, [study])[0].from_complete_s for study in made]
    return Figure("complete to accepted", "one ECG", "s", tuple(found[1:]))


Made = Callable[[str, int, int], list[Study]]


def _made(
    sources: Sequence[Path], folder: Path, name: str, studies: int, loops: int
) -> list[Study]:
    return [copy_of(sources, loops, folder / f"{name}-{number}") for number in range(studies)]


def _from_cart(node: Node, made: Made, sizes: Sequence[int], rounds: int) -> list[Figure]:
    """One study after the other; the sizes take turns."""
    taken: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(rounds):
        for size in sizes:
            (wait,) = waits(
                node, made(f"cart-{size}-{number}", 1, size), loops_per_s=CART_LOOPS_PER_S
            )
            taken[size].append(wait.from_complete_s)
            print(f"{size} loops from a cart: {wait.from_complete_s:.2f} s", flush=True)  # noqa: T201 - a command
    name = f"complete to accepted, one study, {CART_LOOPS_PER_S:g} loops/s"
    return [Figure(name, f"{size} loops", "s", tuple(values)) for size, values in taken.items()]


def _in_bursts(node: Node, made: Made, crowds: Sequence[int], rounds: int) -> list[Figure]:
    """Studies of ten loops at once, as fast as the node takes them; the crowds take turns."""
    taken: dict[int, list[float]] = {crowd: [] for crowd in crowds}
    for number in range(rounds):
        for crowd in crowds:
            found = waits(node, made(f"burst-{crowd}-{number}", crowd, 10))
            taken[crowd] += [wait.from_last_image_s for wait in found]
    name = "last image to accepted, 10 loops each, burst"
    return [Figure(name, f"{crowd} at once", "s", tuple(taken[crowd])) for crowd in crowds]


def _evening(node: Node, made: Made, evening_s: float) -> list[Figure]:
    apart_s = evening_s / _EVENING_STUDIES
    studies = made("evening", _EVENING_STUDIES, _EVENING_LOOPS)
    found = waits(node, studies, loops_per_s=CART_LOOPS_PER_S, apart_s=apart_s)
    name = f"{_EVENING_STUDIES} studies of {_EVENING_LOOPS} loops in {evening_s:g} s"
    return [
        Figure(name, "complete to accepted", "s", tuple(item.from_complete_s for item in found)),
        Figure(
            name, "last image to accepted", "s", tuple(item.from_last_image_s for item in found)
        ),
    ]


def table(figures: Sequence[Figure]) -> str:
    """Seconds; the ratio is to the first row of the same kind."""
    first = {figure.workload: figure for figure in reversed(figures)}
    lines = ["| | median, s | lowest..highest | ratio |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {item.workload}: {item.contestant} | {item.median:.2f} | {item.spread} "
        f"| {item.median / first[item.workload].median:.2f} |"
        for item in figures
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less, once")
    parser.add_argument("--evening-s", type=float, default=120.0, help="the evening's length")
    arguments = parser.parse_args()
    where = measuring.machine()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), quick=arguments.quick, evening_s=arguments.evening_s)
    print(table(figures))  # noqa: T201 - a command
    if not arguments.quick:
        machine = "; ".join(f"{name}: {value}" for name, value in where.items())
        compressed = 1200 / arguments.evening_s
        text = (
            "## Study\n\n`python -m tests.benchmark.study`. A whole node with SQLite and the small "
            "encoder on one thread; storescp is the PACS. A cart sends "
            f"{CART_LOOPS_PER_S:g} loops a second at most (4 MB loops over 100 Mbit/s; these are "
            "smaller), a burst comes as fast as the node takes it. From the last image to "
            f"completion {_RELEASE_QUIET_S:g} s are waited on purpose (`release_quiet_s`), and up "
            "to 0.5 s for the clock. ECGs go to a node of their own, with the demonstration's "
            "bundle; no quiet is counted. The lab's evening, 40 studies in 20 minutes, is "
            f"compressed {compressed:g} times.\n\n"
            f"Measured: {machine}.\n\n{table(figures)}\n\n{PROFILE}\n\n![medians](study.png)"
        )
        measuring.write_json(HERE / "study.json", where, figures)
        measuring.plot(HERE / "study.png", "Study: seconds to the accepted SR", figures)
        measuring.write_section(HERE / "README.md", "study", text)


if __name__ == "__main__":
    main()
