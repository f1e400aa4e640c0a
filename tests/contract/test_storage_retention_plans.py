"""Retention looks every minute, so none of its queries grows with its table."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from storage.database.transactions import Database, Transaction
from storage.keeping import purge, removal, retention
from tests.contract.storing import after, open_association, received, store
from tests.plans import growing

QUERIES: dict[str, Callable[[Transaction], object]] = {
    "finished studies": lambda tx: retention.mark_finished(tx, after(900), after(800), limit=20),
    "held studies": lambda tx: retention.held_studies(tx, after(800), limit=20),
    "files needed": lambda tx: removal.needed_of(tx, ["a", "b"]),
    "purge": lambda tx: purge.purge_study(
        tx, 1, actor="admin", reason="asked for", now=after(900), force=True
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_query_grows_with_its_table(database: Database, name: str) -> None:
    open_association(database)
    store(database, received(1))
    with database.write() as tx:
        if database.dialect == "postgresql":
            for way in ("seqscan", "hashjoin", "mergejoin"):
                tx.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        assert growing(tx, QUERIES[name]) == []
