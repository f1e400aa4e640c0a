"""On PostgreSQL the node runs as a role that can add to the audit and change nothing of it."""

from pathlib import Path

import psycopg
import pytest

from storage.audit.seals import seal_new
from storage.audit.verification import verify
from storage.database.transactions import Database
from storage.delivery import outbox
from storage.migrations.upgrading import require_current, upgrade
from storage.reading.study_list import list_studies
from tests import postgresql
from tests.contract.storing import (
    LEASE_S,
    ME,
    NOON,
    after,
    complete,
    record_report,
    report,
    store_study,
    work,
)

ROLES = Path(__file__).resolve().parents[2] / "deploy" / "postgresql" / "roles.sql"


def become(url: str, role: str) -> str:
    return url.replace("//postgres@", f"//{role}@")


@pytest.fixture(scope="module")
def service_url(postgresql_server: str) -> str:
    """A database set up as the file says; the URL that the node runs with."""
    url = postgresql.create(postgresql_server)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as admin:
        admin.execute(ROLES.read_bytes())
        owner = Database(become(url, "echonode_owner"))
        upgrade(owner)
        owner.close()
        admin.execute(ROLES.read_bytes())
    return become(url, "echonode_service")


def test_the_service_does_its_work(service_url: str) -> None:
    database = Database(service_url)
    require_current(database)
    store_study(database, instances=2)
    complete(database, at_s=120)
    assert work(database, at_s=121)
    record_report(database, report())
    with database.write() as tx:
        outbox.claim(tx, destination="pacs", owner=ME, now=after(200), lease_s=LEASE_S)
        assert list_studies(tx)
    assert seal_new(database, NOON)
    with database.read() as tx:
        assert verify(tx, NOON).is_sound
    database.close()


@pytest.mark.parametrize("table", ["audit_event", "audit_seal"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {} SET {} = '1'",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} RENAME TO other",
    ],
)
def test_the_server_refuses_it_to_touch_the_audit(
    service_url: str, table: str, change: str
) -> None:
    column = "detail" if table == "audit_event" else "chain"
    with (
        psycopg.connect(service_url.replace("+psycopg", "")) as service,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        service.execute(change.format(table, column))


def test_the_service_cannot_change_the_schema(service_url: str) -> None:
    with psycopg.connect(service_url.replace("+psycopg", "")) as service:
        for statement in ("CREATE TABLE other ()", "DELETE FROM alembic_version"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), service.transaction():
                service.execute(statement)
