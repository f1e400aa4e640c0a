"""What a pipeline found last of each study."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from storage import tables
from storage.database.transactions import Transaction
from storage.states import Outcome


def superseded() -> ColumnElement[bool]:
    """Whether a later revision of the same study and pipeline has findings, of a report in a query.

    Of a pipeline's reports on a study, the one of which this does not hold stands.
    """
    report, newer = tables.Report, aliased(tables.Report)
    later = select(newer.id).where(
        newer.study_id == report.study_id,
        newer.pipeline == report.pipeline,
        newer.revision > report.revision,
        newer.findings_json != "",
    )
    return later.exists()


def latest_findings(tx: Transaction, pipeline: str, since: datetime | None) -> Mapping[int, str]:
    """The findings (JSON) that stand of each study, by its number; none of a withdrawn study.

    `since`: only of studies whose last instance came then or later.
    """
    report, study = tables.Report, tables.Study
    query = (
        select(report.study_id, report.findings_json)
        .join(study, study.id == report.study_id)
        .where(
            report.pipeline == pipeline,
            report.findings_json != "",
            report.outcome != Outcome.WITHDRAWN,
            ~superseded(),
        )
        .order_by(report.study_id)
    )
    if since is not None:
        query = query.where(study.last_received_at >= since)
    return {row.study_id: row.findings_json for row in tx.execute(query)}
