"""How long a study waits for its report: from "complete" to "SR accepted by the PACS".

    python -m tests.benchmark.study [--quick]

A whole node (SQLite, the small encoder) and DCMTK's storescp as the PACS. Writes `study.json`,
`study.png` and the section "Study" of the README beside this file; `--quick` sends less, once, and
writes nothing here.
"""

import argparse
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select

from inference.phantom import make_study
from inference.phantom.haemodynamics import expected
from storage import schema
from tests.benchmark import measuring
from tests.benchmark.measuring import Figure
from tests.node import Destination, Node, running_node
from tests.storescp import storescp

HERE = Path(__file__).resolve().parent
#: Long enough for the features to be there when a study completes, as at the speed of a cart.
_RELEASE_QUIET_S = 4.0


@dataclass(frozen=True, slots=True)
class Study:
    """Files of one made study."""

    uid: str
    files: Sequence[Path]


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


def waits_s(node: Node, studies: Sequence[Study]) -> list[float]:
    """Send studies side by side; for each, seconds from complete to SR accepted."""
    with ThreadPoolExecutor(len(studies)) as carts:
        for results in carts.map(node.send, [study.files for study in studies]):
            assert all(result.stored for result in results)
    for study in studies:
        node.wait_for_report(study.uid, timeout_s=300)
    return [_wait_s(node, study) for study in studies]


def _wait_s(node: Node, study: Study) -> float:
    with node.database() as database, database.read() as tx:
        row = tx.execute(
            select(schema.StudyRevision.completed_at, schema.Delivery.finished_at)
            .join(schema.Study, schema.Study.id == schema.StudyRevision.study_id)
            .join(schema.Report, schema.Report.study_id == schema.Study.id)
            .join(schema.Delivery, schema.Delivery.report_id == schema.Report.id)
            .where(
                schema.Study.study_instance_uid == study.uid,
                schema.StudyRevision.revision == 1,
                schema.Delivery.kind == "SR",
            )
        ).one()
    return float((row.finished_at - row.completed_at).total_seconds())


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Studies of several sizes one by one, then several studies side by side."""
    sources = make_study(folder / "source", expected(38, 11), size="small", loops=6, decoys=False)
    sizes = (5, 10) if quick else (10, 50, 120)
    crowds = (2,) if quick else (1, 4, 16)
    rounds = 1 if quick else 3
    figures = []
    with storescp(folder / "pacs") as pacs:
        destination = Destination("pacs", pacs.port, "PACS")
        with running_node(
            folder / "node", [destination], release_quiet_s=_RELEASE_QUIET_S, quiet_s=30
        ) as node:
            waits_s(node, [copy_of(sources, 2, folder / "warm")])
            for loops in sizes:
                taken = [
                    wait
                    for number in range(rounds)
                    for wait in waits_s(
                        node, [copy_of(sources, loops, folder / f"{loops}-{number}")]
                    )
                ]
                figures.append(Figure("one study", f"{loops} loops", "s", tuple(taken)))
            for crowd in crowds:
                studies = [
                    copy_of(sources, 10, folder / f"crowd-{crowd}-{number}")
                    for number in range(crowd)
                ]
                taken = waits_s(node, studies)
                name = f"{crowd} at once"
                figures.append(Figure("studies of 10 loops", name, "s", tuple(taken)))
    return figures


def table(figures: Sequence[Figure]) -> str:
    """Seconds; the ratio is to the first row of the same kind."""
    first = {figure.workload: figure for figure in reversed(figures)}
    lines = [
        "| complete to SR accepted | median, s | lowest..highest | ratio |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {item.workload}, {item.contestant} | {item.median:.2f} | {item.spread} "
        f"| {item.median / first[item.workload].median:.2f} |"
        for item in figures
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less, once")
    quick = parser.parse_args().quick
    where = measuring.machine()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), quick=quick)
    print(table(figures))  # noqa: T201 - a command
    if not quick:
        machine = "; ".join(f"{name}: {value}" for name, value in where.items())
        text = (
            "## Study\n\n`python -m tests.benchmark.study`. A whole node with SQLite and the small "
            "encoder; storescp is the PACS. Studies are sent as fast as the node takes them; "
            f"{_RELEASE_QUIET_S:g} s pass between the end of the association and completion, so "
            "the features are there, as they are when a cart sends while it scans.\n\n"
            f"Measured: {machine}.\n\n{table(figures)}\n\n![medians](study.png)"
        )
        measuring.write_json(HERE / "study.json", where, figures)
        measuring.plot(HERE / "study.png", "Study: seconds from complete to accepted", figures)
        measuring.write_section(HERE / "README.md", "study", text)


if __name__ == "__main__":
    main()
