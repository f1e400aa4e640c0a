"""C-MOVE: an archive is asked to store to us, on associations of its own (PS3.4 annex C.4.2)."""

from pynetdicom import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelMove as StudyRootMove,
)

from dicom_node.scu.association import associate
from dicom_node.scu.peer import RemoteNode
from dicom_node.scu.retrieving import (
    MESSAGE_ID,
    Part,
    Patience,
    Progress,
    Retrieval,
    follow,
    patient,
)


def move(
    archive: RemoteNode,
    part: Part,
    destination_ae_title: str,
    patience: Patience,
    on_progress: Progress = lambda _: None,
) -> Retrieval:
    """Have an archive send instances to an AE title, which it must know by itself.

    Raises:
        RequestRefusedError: the archive answered with a failure.
        ScuError: it could not be asked, or broke off.
    """
    with associate(patient(archive, patience), [build_context(StudyRootMove)]) as association:
        return follow(
            association,
            archive,
            StudyRootMove,
            lambda: association.pynetdicom.send_c_move(
                part.identifier(), destination_ae_title, StudyRootMove, msg_id=MESSAGE_ID
            ),
            patience,
            on_progress,
        )
