"""How a database goes about a query, and whether that grows with its tables."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from storage.database.transactions import Transaction
from storage.tables import Base

#: These hold the few rows that are in work, so reading one whole costs nothing.
PARTIAL = {
    str(index.name)
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None and table.name != "audit_event"
}


def growing(tx: Transaction, query: Callable[[Transaction], object]) -> list[str]:
    """The statements of a query whose cost grows with a table, each with its plan.

    For a database without statistics: one that has them may well walk along an index until enough
    rows meet the other conditions.
    """
    found = []
    for statement, parameters in _statements(tx, query):
        explain = _sqlite if tx.dialect.name == "sqlite" else _postgresql
        grows, plan = explain(tx, statement, parameters)
        if grows:
            found.append(f"{statement}\n{plan}")
    return found


def _statements(tx: Transaction, query: Callable[[Transaction], object]) -> list[tuple[str, Any]]:
    """What a query sends to the database."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, many: bool) -> None:
        if not many and statement.startswith(("SELECT", "UPDATE")):
            sent.append((statement, parameters))

    sa.event.listen(tx, "before_cursor_execute", note)
    query(tx)
    sa.event.remove(tx, "before_cursor_execute", note)
    return sent


def _sqlite(tx: Transaction, statement: str, parameters: Any) -> tuple[bool, str]:
    rows = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    lines = [str(row[-1]) for row in rows]
    scans = [
        line
        for line in lines
        if line.startswith("SCAN") and not line.startswith(("SCAN CONSTANT", "SCAN (subquery"))
    ]
    sorted_for_its_first = "LIMIT" in statement and any("TEMP B-TREE" in line for line in lines)
    grows = sorted_for_its_first or any(
        not _few(line.partition(" INDEX ")[2].split(" ")[0], statement) for line in scans
    )
    return grows, "\n".join(lines)


def _postgresql(tx: Transaction, statement: str, parameters: Any) -> tuple[bool, str]:
    [[plan]] = tx.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    grows = any(
        "Relation Name" in node
        and not {"Index Cond", "Recheck Cond"} & set(node)
        and not _few(node.get("Index Name", ""), statement)
        for node in _nodes(plan[0]["Plan"])
        if "Scan" in node["Node Type"]
    )
    return grows, json.dumps(plan, indent=1)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _few(index: str, statement: str) -> bool:
    """Whether reading from the start is cheap: the index is short, or the first rows will do."""
    return index in PARTIAL or ("LIMIT" in statement and "WHERE" not in statement)
