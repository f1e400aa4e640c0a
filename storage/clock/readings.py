"""The last known time: both clocks of each machine, remembered, so that a jump is always noticed.

The time of day can be set; the clock that counts since the machine's start cannot. A process that
looks at both compares them with what any process on this machine saw last, even before a stop.
After a restart of the machine how long it was off cannot be known: that time counts for nothing,
as if the machine had slept. Where another machine works on the same database, it kept the time.

A time of day that jumped, or that nobody watched, is in doubt: nothing is deleted by it until it
has been steady for a while, or an operator has confirmed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from storage import tables
from storage.audit import trail
from storage.audit.trail import Action, Event
from storage.clock import jumps
from storage.clock.jumps import Jump
from storage.database.transactions import Database, Transaction
from storage.errors import NotFoundError
from storage.tables import ClockReading
from storage.tables.upsert import insert_for

#: A clock that is slewed stays far below this between two looks; a step worth a move does not.
TOLERANCE = timedelta(seconds=1)
#: A smaller jump, as at the start of a time service, puts no deletion by age in doubt.
_DOUBTFUL = timedelta(minutes=5)
_WRITE_EVERY_S = 10.0
#: All processes look at least this often, so none has worked with a jump for longer.
_UNNOTICED_S = 10.0
#: A machine that wrote a reading so lately is at work.
_AT_WORK = timedelta(seconds=60)
#: Two clocks that are further apart than this do not show the same time.
_APART = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks of this machine at one moment; `boot` is the id of its present run."""

    boot: str
    at: datetime
    elapsed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOfDay:
    """A time of day, UTC, and how far it can be trusted.

    `steady_since` is when the clock last jumped, `doubted_since` when a large jump or an unknown
    stop put it in doubt; None: never. `differs_s` is how far it is ahead of another machine of this
    node that agrees better with the database server, `server_differs_s` ahead of that server; 0:
    they agree, or there is none. `jump` is what this comparison found, `has_jumped` that the
    process which looked saw the clock jump.
    """

    at: datetime
    steady_since: datetime | None = None
    doubted_since: datetime | None = None
    differs_s: float = 0.0
    server_differs_s: float = 0.0
    jump: Jump | None = None
    has_jumped: bool = False

    @property
    def in_step(self) -> bool:
        """Whether it agrees with the other machines of the node."""
        return not self.differs_s

    def is_steady(self, period: timedelta) -> bool:
        """Whether it agrees with all other clocks, and did not jump for a while."""
        return self._agrees and _lasted(self.at, self.steady_since, period)

    def is_confirmed(self, period: timedelta) -> bool:
        """Whether files may be deleted by it: never in doubt, or steady for this period since."""
        return self._agrees and _lasted(self.at, self.doubted_since, period)

    def at_time(self, at: datetime, *, has_jumped: bool) -> "TimeOfDay":
        """The same trust in a time of day that was read a moment later."""
        return replace(self, at=at, has_jumped=has_jumped)

    @property
    def _agrees(self) -> bool:
        return not self.differs_s and not self.server_differs_s


def _lasted(now: datetime, since: datetime | None, period: timedelta) -> bool:
    return since is None or now - since >= period


def compare(
    database: Database, reading: Reading, actor: str, looked_s_ago: float | None = None
) -> TimeOfDay:
    """Hold a reading against the last known time; after a jump all that waits is moved along.

    `looked_s_ago` is when this process found no jump last. However many processes see a jump, one
    of them moves what waits.

    Raises:
        storage.errors.StorageError: nothing was compared and nothing moved; ask again.
    """
    with database.read() as tx:
        known = _known(tx, reading)
    if known.own is not None and not known.is_due(reading):
        return _time_of_day(known, reading)
    with database.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("clock", 0))))
        known = known.at_the_same_moment(_known(tx, reading))
        if known.own is not None and known.own.elapsed_s > reading.elapsed_s:
            return _time_of_day(known, reading)  # another process has looked since
        jump = _jump(known, reading, looked_s_ago)
        if jump is not None and not known.others_at_work:
            jumps.absorb(tx, jump, actor)
        return _write(tx, known, reading, jump)


def look(tx: Transaction, reading: Reading) -> tuple[TimeOfDay | None, timedelta]:
    """The time of day as it stands, None where no process ran on this machine yet; changes nothing.

    Also how far the clock was set since a process last looked.
    """
    known = _known(tx, reading)
    if known.own is None:
        return None, timedelta()
    jump = _jump(known, reading, None)
    return _time_of_day(known, reading), jump.by if jump else timedelta()


def confirm(tx: Transaction, boot: str, actor: str, now: datetime) -> None:
    """Take an operator's word that the time of day of this machine is right.

    Raises:
        NotFoundError: no process of the node has run on this machine since its start.
    """
    known = tx.execute(select(ClockReading).where(ClockReading.boot == boot)).first()
    if known is None:
        raise NotFoundError(
            "this node has not run here since the machine was started: start the node first"
        )
    tx.execute(update(ClockReading).where(ClockReading.boot == boot).values(doubted_at=None))
    trail.record(tx, Event(action=Action.CLOCK_CONFIRMED, at=now, actor=actor))


def database_was_away(tx: Transaction) -> None:
    """Take the readings for those of other runs: after a restore nobody knows what passed since.

    What waits then goes on where the backup stopped, and is not due because it is old.
    """
    tx.execute(update(ClockReading).values(boot="restored " + ClockReading.boot))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered: of this machine's run, of others, and the database server's own time."""

    own: Row[Any] | None
    others: Sequence[Row[Any]]
    server_at: datetime | None

    def at_the_same_moment(self, later: "_Known") -> "_Known":
        """What was found later, with the server's time of this look: a lock may lie between."""
        return _Known(later.own, later.others, self.server_at)

    def is_due(self, reading: Reading) -> bool:
        """Whether a reading has to be written down: time for it, or the clock has jumped."""
        if self.own is None:
            return True
        since_s = reading.elapsed_s - self.own.elapsed_s
        return since_s >= _WRITE_EVERY_S or _is_jump(reading.at - _expected(self.own, reading))

    @property
    def others_at_work(self) -> Sequence[Row[Any]]:
        """Readings of other machines that work on this database at this moment."""
        if self.server_at is None:
            return []
        return [
            row
            for row in self.others
            if row.server_at is not None and self.server_at - row.server_at < _AT_WORK
        ]


def _known(tx: Transaction, reading: Reading) -> _Known:
    server_at = None
    if tx.dialect.name == "postgresql":
        server_at = tx.execute(select(func.clock_timestamp())).scalar_one().astimezone(UTC)
    rows = tx.execute(select(ClockReading)).all()
    own = next((row for row in rows if row.boot == reading.boot), None)
    return _Known(own, [row for row in rows if row.boot != reading.boot], server_at)


def _jump(known: _Known, reading: Reading, looked_s_ago: float | None) -> Jump | None:
    """How the time of day departs from what is to be expected; None: it does not."""
    if known.own is None:
        return _after_restart(known, reading)
    expected = _expected(known.own, reading)
    if not _is_jump(reading.at - expected):
        return None
    since_s = reading.elapsed_s - known.own.elapsed_s
    unnoticed_s = min(since_s, looked_s_ago or _UNNOTICED_S, _UNNOTICED_S)
    return Jump(expected, reading.at, unnoticed_s)


def _after_restart(known: _Known, reading: Reading) -> Jump | None:
    """The time that passed unseen while the machine was off counts for nothing."""
    last = max((row.at for row in known.others), default=None)
    if last is None or known.others_at_work or not _is_jump(reading.at - last):
        return None
    unnoticed_s = min(reading.elapsed_s, _UNNOTICED_S)
    return Jump(last, reading.at, unnoticed_s, restarted=True)


def _expected(own: Row[Any], reading: Reading) -> datetime:
    expected: datetime = own.at + timedelta(seconds=reading.elapsed_s - own.elapsed_s)
    return expected


def _is_jump(by: timedelta) -> bool:
    return abs(by) >= TOLERANCE


def _write(tx: Transaction, known: _Known, reading: Reading, jump: Jump | None) -> TimeOfDay:
    """Remember a reading; what other runs of this machine left is not needed any more."""
    jumped_at = reading.at if jump else _inherited(known, "jumped_at")
    doubted_at = _doubted_at(tx, known, reading, jump)
    values = {
        "at": reading.at,
        "elapsed_s": reading.elapsed_s,
        "server_at": known.server_at,
        "jumped_at": jumped_at,
        "doubted_at": doubted_at,
    }
    row = insert_for(tx, ClockReading).values(boot=reading.boot, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["boot"], set_=values))
    if known.own is None:
        at_work = [row.boot for row in known.others_at_work]
        tx.execute(delete(ClockReading).where(ClockReading.boot.not_in([reading.boot, *at_work])))
    return _confidence(known, reading, jumped_at, doubted_at, jump)


def _doubted_at(
    tx: Transaction, known: _Known, reading: Reading, jump: Jump | None
) -> datetime | None:
    if jump is not None and abs(jump.by) >= _DOUBTFUL:
        return reading.at
    if known.own is None and not known.others:
        # Nobody remembers the time, and there is something to lose.
        some = tx.scalar(select(tables.Study.id).limit(1))
        return reading.at if some is not None else None
    return _inherited(known, "doubted_at")


def _inherited(known: _Known, column: str) -> datetime | None:
    """What was known of this run, else of the one before it; not of another machine."""
    found: datetime | None = None
    if known.own is not None:
        found = getattr(known.own, column)
    elif known.others and not known.others_at_work:
        found = getattr(max(known.others, key=lambda row: row.at), column)
    return found


def _time_of_day(known: _Known, reading: Reading) -> TimeOfDay:
    own = known.own
    jumped_at, doubted_at = (own.jumped_at, own.doubted_at) if own else (None, None)
    return _confidence(known, reading, jumped_at, doubted_at, None)


def _confidence(
    known: _Known,
    reading: Reading,
    jumped_at: datetime | None,
    doubted_at: datetime | None,
    jump: Jump | None,
) -> TimeOfDay:
    if known.server_at is None:
        return TimeOfDay(at=reading.at, steady_since=jumped_at, doubted_since=doubted_at, jump=jump)
    ours = reading.at - known.server_at
    theirs = [row.at - row.server_at for row in known.others_at_work]
    # Of two machines that disagree, the one further from the database server is taken to be wrong.
    apart = [ours - other for other in theirs if abs(ours) >= abs(other)]
    widest = max(apart, key=abs, default=timedelta())
    return TimeOfDay(
        at=reading.at,
        steady_since=jumped_at,
        doubted_since=doubted_at,
        differs_s=widest.total_seconds() if abs(widest) > _APART else 0.0,
        server_differs_s=ours.total_seconds() if abs(ours) > _APART else 0.0,
        jump=jump,
    )
