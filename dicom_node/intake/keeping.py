"""What makes an instance ours: the same few steps, by whatever way its bytes came.

fsync, rename, fsync of the folder, ONE commit; what `keep` returns for is on disk and indexed,
whatever happens next.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from dicom_node.intake.identification import identify, require_instance_uid, require_same
from dicom_node.intake.note_keeping import note_in, tell_ignored
from dicom_node.intake.recording import Recorder
from dicom_node.intake.resending import judge
from storage.database.transactions import Database
from storage.files.spool import IncomingFile, Settling, Spool
from storage.intake.instances import digest_of_uid
from storage.intake.received import Receipt, Received


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """An instance whose last byte is here.

    `offset` is where its dataset begins in the file, in bytes; the UIDs are what its sender called
    it, outside the dataset.
    """

    file: IncomingFile
    offset: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brought it, on which association; `quiet_s` is how long its study must be quiet.

    With `may_correct` what it edited of an instance that is here corrects the study. With
    `may_reject` its rejection notes have an effect.
    """

    association_id: str
    peer: str
    quiet_s: float
    may_correct: bool = False
    may_reject: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of an instance; an orphan names no study."""

    receipt: Receipt
    is_orphan: bool


class Keeper:
    """Keeps instances; safe to share by threads.

    `pipelines` are those that look at each new instance.
    """

    def __init__(self, database: Database, spool: Spool, *, pipelines: Sequence[str]) -> None:
        self._database = database
        self._spool = spool
        self._recorder = Recorder(database, pipelines)

    def keep(self, arrived: Arrived, origin: Origin) -> Kept:
        """Keep an instance; returns after it is durable.

        Raises:
            RefusedError: it is not what it was said to be, or cannot be read.
            storage.errors.StorageError: there is no room, or no database.
        """
        require_instance_uid(arrived.sop_instance_uid)
        arrived.file.sync_beside()
        identity = identify(arrived.file.path, arrived.offset, arrived.transfer_syntax_uid)
        require_same(identity, arrived.sop_class_uid, arrived.sop_instance_uid)
        note = note_in(arrived.file.path, identity.sop_class_uid, may_reject=origin.may_reject)
        settling = arrived.file.keep_beside()
        received = Received(
            **asdict(identity),
            transfer_syntax_uid=arrived.transfer_syntax_uid,
            digest=settling.file.digest,
            size_bytes=settling.file.size_bytes,
            association_id=origin.association_id,
            peer=origin.peer,
            received_at=datetime.now(UTC),
            quiet_s=origin.quiet_s,
            may_compare=True,
            may_correct=origin.may_correct,
            note=note,
        )
        receipt = self._record(received, settling)
        if note is not None and receipt is Receipt.STORED:
            tell_ignored(note, origin.peer)
        return Kept(receipt, identity.is_orphan)

    def _record(self, received: Received, settling: Settling) -> Receipt:
        """Record an instance; with other bytes than those under its UID it is compared first.

        That is outside the transaction: decoding takes a while, and nobody else shall wait for it.
        """
        receipt = self._recorder.record(received, settling)
        if receipt is not Receipt.TO_COMPARE:
            return receipt
        with self._database.read() as tx:
            stored = digest_of_uid(tx, received.sop_instance_uid) or received.digest
        resent = judge(self._spool.path(stored), self._spool.path(received.digest))
        return self._recorder.record(replace(received, resent=resent), settling)
