"""An instance that came again with other bytes: what that was found to mean, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from storage import alarms, corrections
from storage.corrections import Identification, Order
from storage.engine import Transaction
from storage.states import AlarmKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """How the other bytes differ from the stored ones, by DICOM keywords; nothing: not known.

    `is_same`: not at all, but for the `routes` they took. `edited` are values that a report shows,
    `before` and `after` what they are. `corrects` are the new values by the names of
    `Identification`, where nothing else differs. `differs_in` is all that does.
    """

    is_same: bool = False
    routes: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    corrects: Mapping[str, str] = field(default_factory=dict)
    differs_in: tuple[str, ...] = ()

    def detail(self) -> dict[str, str]:
        """What the audit tells of it."""
        told = {"route": "; ".join(self.routes), "differs_in": ", ".join(self.differs_in)}
        values = {f"{name}_old": value for name, value in self.before.items()}
        values |= {f"{name}_new": value for name, value in self.after.items()}
        return {name: value for name, value in told.items() if value} | values


def is_known(tx: Transaction, study_id: int, resent: Resent) -> bool:
    """Whether a correction says already what an edited instance says."""
    standing = corrections.standing_of(tx, study_id).identification
    return bool(resent.corrects) and all(
        standing.get(name) == value for name, value in resent.corrects.items()
    )


def correct(
    tx: Transaction,
    study_id: int,
    resent: Resent,
    *,
    peer: str,
    at: datetime,
    pipelines: Sequence[str],
) -> None:
    """Take what an edited instance says as a correction of its study, by order of its sender."""
    order = Order(
        actor=f"peer {peer}",
        at=at,
        reason="sent again with corrected values",
        pipelines=pipelines,
    )
    corrections.correct_identification(tx, study_id, Identification(**resent.corrects), order)


def alarm(tx: Transaction, study_id: int, resent: Resent, *, peer: str, at: datetime) -> None:
    """Have an administrator look: which of the two is right is not for the node to say."""
    names = ", ".join(resent.edited)
    about = f"{peer} sent instances again with other values of {names}; the first ones stay"
    alarms.raise_alarm(tx, study_id, AlarmKind.EDITED, about, at)
