"""What the associations that we open propose beside storage, for the conformance statement.

Storage follows from the objects that are sent, and C-GET from what an archive says it has.
"""

from dataclasses import dataclass
from typing import Literal

from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    UnifiedProcedureStepPull,
    Verification,
)

Purpose = Literal["verify", "query", "move", "get", "commit", "report on commitment", "work items"]
Role = Literal["SCU", "SCP"]

_SOP_CLASSES: dict[Purpose, str] = {
    "verify": Verification,
    "query": StudyRootQueryRetrieveInformationModelFind,
    "move": StudyRootQueryRetrieveInformationModelMove,
    "get": StudyRootQueryRetrieveInformationModelGet,
    "commit": StorageCommitmentPushModel,
    "report on commitment": StorageCommitmentPushModel,
    "work items": UnifiedProcedureStepPull,
}
#: Where we are the provider although we open the association (PS3.7 D.3.3.4).
_AS_PROVIDER: frozenset[Purpose] = frozenset({"report on commitment"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """One SOP class, the transfer syntaxes it is proposed in, and which role is ours."""

    sop_class_uid: str
    transfer_syntaxes: tuple[str, ...]
    role: Role = "SCU"


def proposal(purpose: Purpose) -> Proposal:
    """What is proposed for a purpose."""
    context = build_context(_SOP_CLASSES[purpose])
    return Proposal(
        sop_class_uid=str(context.abstract_syntax),
        transfer_syntaxes=tuple(map(str, context.transfer_syntax)),
        role="SCP" if purpose in _AS_PROVIDER else "SCU",
    )
