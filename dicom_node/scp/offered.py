"""What the listener accepts, found by asking the very function that negotiates.

Every SOP class of PS3.6 annex A is proposed to it in every transfer syntax: a service that is added
there is in the conformance statement by itself, and nothing stands there that is not accepted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID
from pynetdicom import AE, build_context
from pynetdicom.sop_class import uid_to_service_class

from dicom_node.scp.contexts import RETIRED_STORAGE_CLASSES, supported

_SOP_CLASSES = ("SOP Class", "Meta SOP Class")
_TRANSFER_SYNTAX = "Transfer Syntax"


@dataclass(frozen=True, slots=True)
class Offered:
    """One SOP class that is accepted, the service it belongs to, and in which transfer syntaxes.

    `is_used_too`: whether a peer may take the SCP role (PS3.7 D.3.3.4), so that we are the user.
    """

    sop_class_uid: str
    service: str
    transfer_syntaxes: tuple[str, ...]
    is_used_too: bool


def offered() -> list[Offered]:
    """Every SOP class that a peer may propose with success, by service and UID."""
    syntaxes = list(_of_type(_TRANSFER_SYNTAX))
    classes = {*_of_type(*_SOP_CLASSES), *RETIRED_STORAGE_CLASSES.values()}
    contexts = supported(build_context(uid, syntaxes) for uid in sorted(classes))
    found = [
        Offered(
            sop_class_uid=str(context.abstract_syntax),
            service=_service(str(context.abstract_syntax)),
            transfer_syntaxes=tuple(map(str, context.transfer_syntax)),
            is_used_too=bool(context.scp_role),
        )
        for context in contexts
    ]
    return sorted(found, key=lambda item: (item.service, UID(item.sop_class_uid).name))


def implementation() -> tuple[str, str]:
    """Implementation Class UID and Version Name, as associations carry them either way."""
    entity = AE()
    return str(entity.implementation_class_uid), str(entity.implementation_version_name)


def _of_type(*types: str) -> Iterator[str]:
    return (uid for uid, (_, kind, *_rest) in UID_dictionary.items() if kind in types)


def _service(sop_class_uid: str) -> str:
    """StorageCommitmentServiceClass -> Storage Commitment."""
    name = uid_to_service_class(sop_class_uid).__name__.removesuffix("ServiceClass")
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip()
