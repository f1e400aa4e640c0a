"""Which SOP classes a destination takes, as it answered, and for how long that is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dicom_node.scu.statuses import SOP_CLASS_NOT_SUPPORTED
from storage.delivery.destinations import Answer

NEGOTIATION = "negotiation"
HTTP_CLASS_REFUSED = 415

#: Refusals of a SOP class, whatever the object; by any other a single object may be meant.
CLASS_REFUSALS = frozenset(
    {NEGOTIATION, f"status 0x{SOP_CLASS_NOT_SUPPORTED:04X}", f"HTTP {HTTP_CLASS_REFUSED}"}
)

#: For so long a class is not tried again that was refused in spite of its presentation context, or
#: where nothing is negotiated. What an association negotiates is learned with each one.
BELIEVED_FOR = timedelta(days=1)


@dataclass(slots=True)
class Acceptance:
    """What is known of one destination when a line to it is opened, and what the line adds.

    `answers` are by SOP Class UID; `now` is timezone-aware.
    """

    answers: Mapping[str, Answer]
    now: datetime

    def refuses(self, sop_class_uid: str) -> bool:
        """Whether a class was refused lately, so that the next best is tried first."""
        return self._refused_lately(sop_class_uid) in CLASS_REFUSALS

    def doubts(self, sop_class_uid: str) -> bool:
        """Whether an object of a class was refused lately where another form of it was taken.

        The class is tried all the same, since that object may have been the reason.
        """
        return self._refused_lately(sop_class_uid) not in CLASS_REFUSALS | {""}

    @property
    def refused_classes(self) -> list[str]:
        """What was refused last, however long ago."""
        return [uid for uid, answer in self.answers.items() if answer.refused_by]

    def negotiated(self, accepted: Mapping[str, tuple[str, ...]]) -> None:
        """Learn from an association: SOP class -> accepted transfer syntaxes, none: refused.

        That a context was accepted does not outweigh that an object was refused in it.
        """
        for uid, syntaxes in accepted.items():
            if not syntaxes:
                self.refused(uid, NEGOTIATION)
            elif not self._refuses_objects(uid):
                self._learn(Answer(uid, syntaxes, "", self.now, self.now))

    def stored(self, sop_class_uid: str) -> None:
        """Learn that an object was stored."""
        before = self.answers.get(sop_class_uid)
        syntaxes = before.transfer_syntaxes if before else ()
        self._learn(Answer(sop_class_uid, syntaxes, "", self.now, self.now))

    def refused(self, sop_class_uid: str, how: str) -> None:
        """Learn that a class was refused; `how` such as "status 0x0122"."""
        self._learn(Answer(sop_class_uid, (), how, self.now, self.now))

    def _refuses_objects(self, sop_class_uid: str) -> bool:
        return self._refused_lately(sop_class_uid) not in ("", NEGOTIATION)

    def _refused_lately(self, sop_class_uid: str) -> str:
        """How a class was refused, as far as that is still believed; empty: it was not."""
        answer = self.answers.get(sop_class_uid)
        is_believed = answer is not None and self.now - answer.confirmed_at < BELIEVED_FOR
        return answer.refused_by if answer and is_believed else ""

    def _learn(self, answer: Answer) -> None:
        self.answers = {**self.answers, answer.sop_class_uid: answer}
