"""The cohort's index: one SQLite file.

SQLite and not Parquet, because the scan of a large archive commits as it goes and continues
after an interruption, which a file written once cannot. It is the only place that maps the
cohort's numbers (P0001, E00001, S01) to patients and sites, so it is to be kept like the archive
itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from inference.errors import TrainingDataError

NAME = "cohort.sqlite"

#: Of the tables below; one of another layout is scanned anew when its cohort is built again.
LAYOUT = 4

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- What the last walk found; `instance` is brought in line with it.
CREATE TABLE IF NOT EXISTS found (
    path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, modified_ns INTEGER NOT NULL
) WITHOUT ROWID;

-- One row a file. outcome: selected | rejected | unreadable.
-- rules_passed: how many selection rules hold before the first that does not.
CREATE TABLE IF NOT EXISTS instance (
    path TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    rules_passed INTEGER NOT NULL,
    patient_id TEXT NOT NULL,
    sex TEXT NOT NULL,
    age_years REAL,
    study_instance_uid TEXT NOT NULL,
    exam_date TEXT NOT NULL,
    acquired_at TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    manufacturer TEXT NOT NULL,
    model TEXT NOT NULL,
    institution TEXT NOT NULL,
    station TEXT NOT NULL,
    duration_ms REAL,
    plan TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS exam (
    exam_id TEXT PRIMARY KEY,
    patient_number TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL UNIQUE,
    split TEXT NOT NULL,
    exam_date TEXT NOT NULL,
    rhc_date TEXT NOT NULL,
    days_apart INTEGER NOT NULL,
    sex TEXT NOT NULL,
    age_years REAL,
    mpap_mmhg REAL NOT NULL,
    pvr_wu REAL,
    pawp_mmhg REAL,
    trvmax_m_s REAL,
    scanner TEXT NOT NULL,
    site TEXT NOT NULL,
    quality TEXT NOT NULL
) WITHOUT ROWID;

-- What a site's number is called: Institution Name, or Station Name where that is empty.
CREATE TABLE IF NOT EXISTS site (site TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS loop (
    exam_id TEXT NOT NULL REFERENCES exam (exam_id),
    position INTEGER NOT NULL,
    path TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    plan TEXT NOT NULL,
    PRIMARY KEY (exam_id, position)
) WITHOUT ROWID;
"""


@contextmanager
def open_index(
    folder: Path, *, create: bool = False, chosen_by: str = ""
) -> Iterator[sqlite3.Connection]:
    """Open the index of a cohort folder and close it again.

    One that is created, or built again, by other rules than before is scanned anew: those of
    another version of echonode, or another way of choosing (`Choosing.key`), or with fewer
    columns.

    Raises:
        TrainingDataError: there is none, or it is not an index.
    """
    path = folder / NAME
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    elif not path.is_file():
        raise TrainingDataError(f"no cohort in {folder}; make one with `echonode cohort build`")
    connection = sqlite3.connect(path)
    try:
        if create:
            _prepare(connection, chosen_by)
        connection.execute("SELECT 1 FROM meta").fetchone()
        yield connection
    except sqlite3.DatabaseError as error:
        raise TrainingDataError(f"{path} cannot be used ({error}); remove it and build anew") from (
            error
        )
    finally:
        connection.close()


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """One remembered value."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Remember one value; the caller commits."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _prepare(connection: sqlite3.Connection, chosen_by: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout != LAYOUT:
        _forget_cohort(connection)
    connection.executescript(SCHEMA)
    current = version("echonode")
    with connection:
        scanned_by, scanned_for = (
            get_meta(connection, key) for key in ("scanned_by", "scanned_for")
        )
        if (scanned_by, scanned_for) != (current, chosen_by):
            connection.execute("DELETE FROM instance")
        set_meta(connection, "scanned_by", current)
        set_meta(connection, "scanned_for", chosen_by)


def _forget_cohort(connection: sqlite3.Connection) -> None:
    """Take out what another version scanned and built; what others keep here stays."""
    with connection:
        for table in ("instance", "exam", "loop", "site"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            connection.execute("DELETE FROM meta WHERE key IN ('archive', 'sha256')")
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
