"""Compare what two pipelines, or two bundles of one, found on the same studies."""

from datetime import datetime

from dicom_node.operations.viewing import looking
from dicom_node.work.findings_codec import decode_findings
from inference.agreement import Agreement, agreement
from storage.database.transactions import Database
from storage.reading.findings import latest_findings


def compare(
    database: Database, who: str, first: str, second: str, since: datetime | None = None
) -> Agreement:
    """How far two pipelines agree on the studies that both analysed."""
    with looking(database, who, "shadow compare", first=first, second=second) as tx:
        ones, others = (latest_findings(tx, name, since) for name in (first, second))
    return agreement(
        {
            study: (decode_findings(ones[study]), decode_findings(others[study]))
            for study in ones
            if study in others
        }
    )
