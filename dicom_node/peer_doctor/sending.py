"""The synthetic report sent as a real one would be, looked for at the archive, and taken away."""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.uid import UID

from dicom_node.delivery.acceptance import Acceptance
from dicom_node.delivery.transport import Line, Offer, Rendition, Transport
from dicom_node.errors import NodeError
from dicom_node.peer_doctor import advice
from dicom_node.peer_doctor.steps import Step, Steps, Verdict
from dicom_node.peer_doctor.synthetic import PATIENT_ID, SyntheticStudy, rejection_note
from dicom_node.report import BuiltObject

Find = Callable[[str, str], Collection[str]]
"""Asks an archive for the SOP Instance UIDs that it has of a study and, unless "", of a series."""
Delete = Callable[[str], None]
"""Asks an archive to delete a study."""

#: How long an archive may take to find what it has just stored, in seconds.
_FOUND_WITHIN_S = 10.0
_POLL_S = 0.5


class Sending:
    """What was sent of a synthetic study by one way, in one examination."""

    def __init__(self, study: SyntheticStudy, kinds: frozenset[str], transport: Transport) -> None:
        self._study = study
        self._kinds = kinds
        self._transport = transport
        self.sent: list[BuiltObject] = []

    def store(self) -> Steps:
        """Send one object of each kind that the destination gets, in the best form it takes."""
        yield from self._send(
            {
                kind: (*self._study.renditions(kind), *self._study.substitutes(kind))
                for kind in self._study.kinds
                if kind in self._kinds
            }
        )

    def read_back(self, find: Find) -> Steps:
        """Ask until everything is found, or for ten seconds."""
        wanted = {item.sop_instance_uid for item in self.sent}
        study_instance_uid = self._study.context.study_instance_uid
        deadline = time.monotonic() + _FOUND_WITHIN_S
        try:
            found = wanted & set(find(study_instance_uid, ""))
            while found != wanted and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                found = wanted & set(find(study_instance_uid, ""))
        except NodeError as error:
            yield Step("read back", Verdict.FAILS, str(error), advice.ON_ANYTHING)
            return
        detail = f"{len(found)} of {len(wanted)} objects are found by a query"
        if found == wanted:
            yield Step("read back", Verdict.WORKS, detail)
        else:
            yield Step(
                "read back",
                Verdict.FAILS,
                f"{detail} after {_FOUND_WITHIN_S:g} s",
                "there: it said that it stored them: look for a quarantine, a routing rule, or an "
                "archive behind it that is asked instead",
            )

    def take_away(self, delete: Delete | None) -> Steps:
        """Remove the traces as far as the other side lets us, and say what is left."""
        if not self.sent:
            return
        if delete is not None:
            try:
                delete(self._study.context.study_instance_uid)
            except NodeError as error:
                yield Step("traces", Verdict.LACKS, f"not deleted: {error}", _by_hand())
            else:
                yield Step("traces", Verdict.WORKS, "the study was deleted there")
            return
        if "RN" in self._kinds:
            yield from self._send({"RN": (rejection_note(self._study, self.sent),)})
            detail = (
                "a rejection note hides them, where the archive obeys it; they may stay on disk"
            )
        else:
            detail = f"{len(self.sent)} objects of the synthetic patient stay there"
        yield Step("traces", Verdict.LACKS, detail, _by_hand())

    def _send(self, offered: dict[str, tuple[BuiltObject, ...]]) -> Steps:
        with TemporaryDirectory(prefix="echonode-") as folder:
            offers = {kind: _offer(items, Path(folder)) for kind, items in offered.items()}
            try:
                with self._transport.open(
                    list(offers.values()), Acceptance({}, datetime.now(UTC))
                ) as line:
                    for kind, offer in offers.items():
                        yield self._send_one(line, kind, offer, offered[kind])
            except NodeError as error:
                yield Step("store", Verdict.FAILS, str(error))

    def _send_one(self, line: Line, kind: str, offer: Offer, items: Sequence[BuiltObject]) -> Step:
        name = f"store {kind}"
        try:
            result = line.send(offer)
        except NodeError as error:
            return Step(name, Verdict.FAILS, str(error))
        sent = next(item for item in items if item.sop_instance_uid == result.sop_instance_uid)
        what = UID(sent.sop_class_uid).name
        answer = f"status 0x{result.status:04X}{f', {result.comment}' if result.comment else ''}"
        if not result.stored:
            what_to_do = advice.on_status(result.status)
            return Step(name, Verdict.FAILS, f"{what} refused with {answer}", what_to_do)
        if kind != "RN" and sent not in self.sent:
            self.sent.append(sent)
        if sent.kind != kind:
            return Step(name, Verdict.LACKS, f"{what} taken in its place with {answer}")
        return Step(name, Verdict.WORKS, f"{what} taken with {answer}")


def _offer(items: Sequence[BuiltObject], folder: Path) -> Offer:
    renditions = []
    for item in items:
        path = folder / f"{item.kind}-{item.preference}.dcm"
        path.write_bytes(item.data)
        renditions.append(Rendition(path, item.sop_class_uid, item.sop_instance_uid))
    return Offer(tuple(renditions))


def _by_hand() -> str:
    return f"there: delete the patient with ID {PATIENT_ID} (no such patient exists)"
