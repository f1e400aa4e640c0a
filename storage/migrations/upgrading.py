"""The schema's version: looked at, required, brought up to date."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.database import owner
from storage.database.transactions import Database
from storage.errors import SchemaMismatchError


class SchemaState(NamedTuple):
    """The revision a database is at (None: it has no tables yet), and the one we need."""

    current: str | None
    head: str


def check(database: Database) -> SchemaState:
    """Compare a database's schema with this program's."""
    with database.read() as tx:
        return SchemaState(MigrationContext.configure(tx).get_current_revision(), _head())


def require_current(database: Database) -> None:
    """Go on only with the schema that this program was written for.

    Raises:
        SchemaMismatchError: it is another one; the message says what to do.
    """
    state = check(database)
    if state.current == state.head:
        return
    if state.current is None:
        raise SchemaMismatchError("the database has no tables yet: run `echonode db upgrade`")
    raise SchemaMismatchError(
        f"the database is at schema {state.current}, this program needs {state.head}: "
        "run `echonode db upgrade`, or install the program that belongs to it"
    )


def upgrade(database: Database) -> None:
    """Bring the schema up to date, in one commit; of two processes, the second finds it done.

    Raises:
        SchemaMismatchError: the database was made by another program version.
    """
    with database.write() as tx:
        if database.dialect == "postgresql":
            tx.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        before = MigrationContext.configure(tx).get_current_revision()
        head = _head()
        if before == head:
            return
        config = _alembic()
        if before is not None and before not in _known(config):
            raise SchemaMismatchError(
                f"the database is at schema {before}, which this program cannot upgrade: "
                "see CHANGELOG.md, or install the program that belongs to it"
            )
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
        trail.record(
            tx,
            Event(
                action=Action.SCHEMA_UPGRADED,
                at=datetime.now(UTC),
                actor=owner.this_process(),
                detail={"from": before, "to": head},
            ),
        )


#: Any number will do that nobody else locks in this database.
_UPGRADE_LOCK = 0x6563686F


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _head() -> str:
    head = ScriptDirectory.from_config(_alembic()).get_current_head()
    if head is None:
        raise SchemaMismatchError("this installation lacks its migrations")
    return head


def _known(config: Config) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
