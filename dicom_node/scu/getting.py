"""C-GET: an archive stores to us on the very association that we opened (PS3.4 annex C.4.3).

It can only give what was negotiated, so every class that is wanted is proposed in each transfer
syntax that it may be kept in, in a context of its own: nothing is transcoded for our sake.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import structlog
from pydicom.uid import (
    JPEG2000,
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    KeyObjectSelectionDocumentStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)
from pynetdicom import build_context, build_role, evt
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyRootGet,
)

from dicom_node.intake.keeping import Keeper, Origin
from dicom_node.intake.statuses import answer, refusal
from dicom_node.scp.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from dicom_node.scp.upper_layer.spooling import SpoolingProvider, arrival
from dicom_node.scu.association import OpenAssociation, associate
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
from dicom_node.scu.storing import MAXIMUM_CONTEXTS
from storage.errors import StorageError
from storage.files.spool import Spool

log = structlog.get_logger()

#: What carts and archives keep images in, the most likely first; then all the others.
_LIKELY = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEG2000Lossless,
    JPEG2000,
    RLELossless,
)
_SYNTAXES = (*_LIKELY, *sorted(TRANSFER_SYNTAXES - set(_LIKELY)))
#: The most likely classes of a study; the others follow as far as there is room.
_LIKELY_CLASSES = (
    UltrasoundMultiFrameImageStorage,
    UltrasoundImageStorage,
    SecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    Comprehensive3DSRStorage,
    BasicTextSRStorage,
    KeyObjectSelectionDocumentStorage,
    EncapsulatedPDFStorage,
)
_CLASSES = (*_LIKELY_CLASSES, *sorted(STORAGE_CLASSES - set(_LIKELY_CLASSES)))


def get(
    archive: RemoteNode,
    part: Part,
    sop_class_uids: Sequence[str],
    intake: "Intake",
    origin: Origin,
    patience: Patience,
    on_progress: Progress = lambda _: None,
) -> Retrieval:
    """Have an archive send instances of these classes on our own association, and keep them.

    Raises:
        RequestRefusedError: the archive answered with a failure.
        ScuError: it could not be asked, or broke off.
        storage.errors.StorageError: we could not keep what it sent.
    """
    wanted = [UID(uid) for uid in dict.fromkeys(sop_class_uids) if uid in STORAGE_CLASSES]
    storage = list(_storage_contexts(wanted or _CLASSES))
    contexts = [build_context(StudyRootGet), *storage]
    proposed = dict.fromkeys(str(context.abstract_syntax) for context in storage)
    roles = [build_role(uid, scp_role=True) for uid in proposed]
    with associate(patient(archive, patience), contexts, roles) as association:
        intake.take_over(association, origin)
        try:
            return follow(
                association,
                archive,
                StudyRootGet,
                lambda: association.pynetdicom.send_c_get(
                    part.identifier(), StudyRootGet, msg_id=MESSAGE_ID
                ),
                patience,
                on_progress,
            )
        finally:
            intake.require_storage()


class Intake:
    """Keeps what is stored on an association that we opened."""

    def __init__(self, spool: Spool, keeper: Keeper) -> None:
        self._spool = spool
        self._keeper = keeper
        self._provider: SpoolingProvider | None = None
        self._failure: StorageError | None = None

    @property
    def received_bytes(self) -> int:
        """Bytes that came so far; it grows while an instance is on its way."""
        return self._provider.received_bytes if self._provider else 0

    def take_over(self, association: OpenAssociation, origin: Origin) -> None:
        """Let the datasets of an open association go to the spool, as instances of `origin`."""
        peer = association.pynetdicom
        accepted = {context.context_id: context for context in peer.accepted_contexts}

        def storing(context_id: int | None) -> PresentationContext | None:
            context = accepted.get(context_id)
            return context if context is not None and context.as_scp else None

        self._provider = SpoolingProvider(peer, self._spool, storing)
        peer.dimse = self._provider
        peer.bind(evt.EVT_C_STORE, self._on_store, [origin])

    def require_storage(self) -> None:
        """Say what kept us from keeping; what the archive says then only follows from it.

        Raises:
            storage.errors.StorageError: the spool was full, or the database unavailable.
        """
        if self._failure is not None:
            raise self._failure

    def _on_store(self, event: Event, origin: Origin) -> int:
        stream = getattr(event.request, "DataSet", None)
        try:
            kept = self._keeper.keep(arrival(stream), origin)
        except Exception as error:  # every request is answered, and by our table
            if isinstance(error, StorageError):
                self._failure = error
            refused = refusal(error)
            log.warning("instance not kept", peer=origin.peer, exc_info=error)
            return int(refused.status)
        finally:
            if self._provider is not None:
                self._provider.answered(stream)
        return int(answer(kept.receipt, "keep_first", is_orphan=kept.is_orphan))


def _storage_contexts(classes: Sequence[UID]) -> Iterator[PresentationContext]:
    """As many contexts as fit beside the one of the request itself."""
    room = MAXIMUM_CONTEXTS - 1
    each = max(1, room // len(classes))
    pairs = ((uid, syntax) for uid in classes for syntax in _SYNTAXES[:each])
    for uid, syntax in islice(pairs, room):
        yield build_context(uid, syntax if each > 1 else list(_SYNTAXES))
