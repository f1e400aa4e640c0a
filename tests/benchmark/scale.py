"""How fast the database answers after 10,000 studies: `python -m tests.benchmark.scale [--quick]`.

Fills an SQLite file and a private PostgreSQL with a tenth of the rows and with all of them,
measures every operation on each, looks at the plans before and after ANALYZE, and prints and keeps
what it found. Both databases sync every commit to disk, as they do in service.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from storage.database.transactions import Database
from storage.intake.instances import record_instance
from tests import postgresql
from tests.benchmark.measuring import Figure, machine, write_json, write_section
from tests.benchmark.scale_fill import fill
from tests.benchmark.scale_operations import OPERATIONS, Draw, Operation, associate
from tests.benchmark.scale_report import Results, plot, report
from tests.benchmark.scale_rows import PIPELINE
from tests.plans import growing

HERE = Path(__file__).parent
GROUPS = (1, 4, 16, 64)


def main() -> None:
    """Measure, print, and write the JSON, the plot and the README's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, few runs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for JSON, plot and README")
    options = parser.parse_args()
    sizes, runs = ((100, 1_000), 15) if options.quick else ((1_000, 10_000), 30)
    where = machine()
    with (
        TemporaryDirectory(prefix="echonode-scale-") as folder,
        # Left to itself, PostgreSQL would gather statistics at a moment of its own choosing.
        postgresql.server(autovacuum="off", shared_buffers="512MB") as server,
    ):
        subjects = [
            _subject(name, url, studies)
            for studies in sizes
            for name, url in (
                ("SQLite", f"sqlite:///{folder}/{studies}.db"),
                ("PostgreSQL", postgresql.create(server)),
            )
        ]
        results = _measure(subjects, runs, sizes[1])
        for subject in subjects:
            subject.database.close()
    where["load at the end"] = f"{os.getloadavg()[0]:.1f}"
    text = report(results, sizes, runs, where)
    print(text)  # noqa: T201 - a command
    write_json(options.out / "scale.json", where, results.times + results.rates)
    plot(options.out / "scale.png", results.times, sizes[1])
    if not options.quick:
        write_section(options.out / "README.md", "scale", text)


@dataclass(frozen=True, slots=True)
class Subject:
    """One database and what to ask of it."""

    name: str
    studies: int
    database: Database
    draw: Draw

    @property
    def label(self) -> str:
        """What its figures are filed under."""
        return f"{self.name}, {self.studies}"


def _subject(name: str, url: str, studies: int) -> Subject:
    print(f"{name}: bringing in {studies} studies", flush=True)  # noqa: T201 - a command
    fill(url, studies)
    subject = Subject(name, studies, Database(url), Draw(studies))
    with subject.database.write() as tx:
        associate(tx, subject.draw.now)
    return subject


def _measure(subjects: Sequence[Subject], runs: int, large: int) -> Results:
    """Measure without statistics and with them; whole tables are looked for at the large size."""
    times = _time(subjects, runs)
    whole = [
        f"{found} ({subject.name})"
        for subject in subjects
        if subject.studies == large
        for found in _growing(subject.database, subject.draw)
    ]
    for subject in subjects:
        with subject.database.write() as tx:
            tx.execute(sa.text("ANALYZE"))
    times += _time(subjects, runs, ", ANALYZE")
    rates = [
        Figure(f"{size} in a commit", subject.label, "instances/s", _rates(subject, size))
        for size in GROUPS
        for subject in subjects
    ]
    return Results(times, rates, whole)


def _time(subjects: Sequence[Subject], runs: int, suffix: str = "") -> list[Figure]:
    """Milliseconds of each run with its commit; all take turns, the first round is not kept."""
    taken: dict[tuple[Operation, str], list[float]] = defaultdict(list)
    for _ in range(runs + 1):
        for operation in OPERATIONS:
            for subject in subjects:
                took_ms = _run_ms(operation, subject)
                taken[operation, subject.label + suffix].append(took_ms)
    return [
        Figure(operation.name, label, "ms", tuple(values[1:]))
        for (operation, label), values in taken.items()
    ]


def _run_ms(operation: Operation, subject: Subject) -> float:
    database = subject.database
    begin = time.perf_counter()
    with database.write() if operation.writes else database.read() as tx:
        operation.run(tx, subject.draw)
    return (time.perf_counter() - begin) * 1000


def _growing(database: Database, draw: Draw) -> list[str]:
    """The operations that read a whole table or index."""
    found = []
    for operation in OPERATIONS:
        with database.write() as tx:
            if growing(tx, operation.about(draw)):
                found.append(operation.name)
            tx.rollback()
    return found


def _rates(subject: Subject, size: int) -> tuple[float, ...]:
    """Instances recorded a second, with so many of them in each commit."""
    rates = []
    for _ in range(max(5, 128 // size)):
        study = subject.draw.busy()
        begin = time.perf_counter()
        with subject.database.write() as tx:
            for _ in range(size):
                record_instance(tx, subject.draw.received(study, "bench"), [PIPELINE])
        rates.append(size / (time.perf_counter() - begin))
    return tuple(rates)


if __name__ == "__main__":
    main()
