"""How often the test split of a cohort was looked at: counted in the cohort's own index.

Every model whose test exams are estimated leaves a row, so that whoever tries ten models and shows
the best cannot show it as the first. The rows lie in cohort.sqlite and not in a run: a copied or
renamed run does not hide them, and a copied cohort takes them along. They do not survive who builds
the same cohort in another folder, or edits the file; nothing on one's own machine would.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference.errors import TrainingDataError
from inference.training.cohort.index import get_meta, open_index

_TABLE = """
CREATE TABLE IF NOT EXISTS test_look (
    number INTEGER PRIMARY KEY,
    cohort_sha256 TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    looked_at TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a test split was looked at, and by how many models, until now and until a model.

    `first` and `number` count the looks and the models up to and including the model's first look;
    later looks do not change them. `earlier_builds`: of `looks`, those at an earlier build of the
    cohort, most of whose test patients are the same.
    """

    looks: int
    models: int
    first: int
    number: int
    earlier_builds: int = 0


def record(cohort: Path, model_sha256: str) -> Looks:
    """Count one look of a model at the test split of a cohort.

    Raises:
        TrainingDataError: there is no cohort, or its folder cannot be written.
    """
    with open_index(cohort) as index:
        sha256 = get_meta(index, "sha256") or ""
        try:
            _insert(index, sha256, model_sha256)
        except sqlite3.OperationalError as error:
            raise TrainingDataError(
                f"the cohort in {cohort} cannot be written ({error}): every look at its test split "
                "is counted there; make the folder writable"
            ) from error
        return _count(index, sha256, model_sha256)


def read(cohort: Path, model_sha256: str) -> Looks | None:
    """The looks at a cohort's test split; None where the model has not looked yet.

    Raises:
        TrainingDataError: there is no cohort.
    """
    with open_index(cohort) as index:
        known = index.execute("SELECT 1 FROM sqlite_master WHERE name = 'test_look'").fetchone()
        mine = (
            known
            and index.execute(
                "SELECT 1 FROM test_look WHERE model_sha256 = ?", (model_sha256,)
            ).fetchone()
        )
        return _count(index, get_meta(index, "sha256") or "", model_sha256) if mine else None


def _insert(index: sqlite3.Connection, cohort_sha256: str, model_sha256: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with index:
        index.execute(_TABLE)
        index.execute(
            "INSERT INTO test_look (cohort_sha256, model_sha256, looked_at) VALUES (?, ?, ?)",
            (cohort_sha256, model_sha256, now),
        )


def _count(index: sqlite3.Connection, cohort_sha256: str, model_sha256: str) -> Looks:
    rows = index.execute(
        "SELECT cohort_sha256, model_sha256 FROM test_look ORDER BY number"
    ).fetchall()
    models = [model for _, model in rows]
    first = models.index(model_sha256) + 1
    return Looks(
        looks=len(rows),
        models=len(set(models)),
        first=first,
        number=len(set(models[:first])),
        earlier_builds=sum(sha256 != cohort_sha256 for sha256, _ in rows),
    )
