"""Reports on what peers asked us to commit, on associations that we open to them.

What a peer asked is in the database; it is told what is held at the moment of telling. Who cannot
be told is tried again after a growing wait, until the request expires.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

import structlog

from dicom_node.commitment_messages import Report
from dicom_node.delivery.backoff import retry_delay_s
from dicom_node.scu.commitment_requests import send_report
from dicom_node.scu.errors import ScuError
from dicom_node.scu.peer import RemoteNode
from dicom_node.service import Loops, keep_stepping
from storage.database.transactions import Database
from storage.files.spool import Spool
from storage.keeping.promises import (
    Owed,
    claim_owed,
    give_up,
    give_up_expired,
    holdings,
    is_due,
    mark_reported,
    report_later,
)

#: How long one peer may take until the report is sent to it by somebody else too.
_PATIENCE = timedelta(minutes=5)
#: How often a peer that nothing is owed to is looked after, in seconds.
_POLL_S = 0.5

log = structlog.get_logger()


class CommitmentReports(Loops):
    """Reports to peers until it is stopped, each peer on a thread of its own.

    `peers` are those that are called back, by their name in the settings.
    """

    def __init__(
        self,
        peers: Mapping[str, RemoteNode],
        database: Database,
        spool: Spool,
        *,
        first_retry_s: float = 5.0,
        maximum_retry_s: float = 600.0,
    ) -> None:
        self._peers = peers
        self._database = database
        self._spool = spool
        self._first_retry_s = first_retry_s
        self._maximum_retry_s = maximum_retry_s
        super().__init__(Event(), {f"report-{peer}": partial(self._run, peer) for peer in peers})

    def _run(self, peer: str) -> None:
        keep_stepping(
            self._stopping,
            partial(self._step, peer),
            idle_s=_POLL_S,
            on_trouble=lambda code: log.warning("commitment reports wait", peer=peer, code=code),
        )

    def _step(self, peer: str) -> bool:
        """Send the report that is due first; whether there was one."""
        now = _now()
        with self._database.read() as tx:
            if not is_due(tx, peer, now):
                return False
        with self._database.write() as tx:
            give_up_expired(tx, now)
            claimed = claim_owed(tx, now=now, again_at=now + _PATIENCE, peer=peer)
        for owed in claimed:
            self._report(owed)
        return bool(claimed)

    def _report(self, owed: Owed) -> None:
        with self._database.read() as tx:
            held = holdings(tx, owed, self._spool.exists)
        if held.is_empty:
            with self._database.write() as tx:
                give_up(tx, owed, _now())
            return
        about = log.bind(peer=owed.peer, attempt=owed.attempt)
        try:
            send_report(
                self._peers[owed.peer], Report(owed.transaction_uid, held.committed, held.failed)
            )
        except ScuError as exc:
            delay_s = retry_delay_s(owed.attempt, self._first_retry_s, self._maximum_retry_s)
            again_at = min(_now() + timedelta(seconds=delay_s), owed.expires_at)
            with self._database.write() as tx:
                report_later(tx, owed, again_at, str(exc))
            about.warning("commitment not reported", code=type(exc).__name__, delay_s=delay_s)
        else:
            with self._database.write() as tx:
                mark_reported(tx, owed, held, _now())
            about.info("commitment reported", count=len(held.committed))


def _now() -> datetime:
    return datetime.now(UTC)
