"""The tables outside `storage.schema`, which loads them through here: all belong to its `Base`."""

from storage import (  # noqa: F401 - loading them is what matters
    audit_schema,
    clock_schema,
    commitment_schema,
    completeness_schema,
    correction_schema,
    destinations_schema,
    intake_schema,
    retention_schema,
    retrieval_schema,
    work_item_schema,
    work_schema,
)
