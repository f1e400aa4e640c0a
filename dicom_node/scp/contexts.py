"""Which presentation contexts are accepted: every storage class in every transfer syntax.

A node that takes the report but refuses the images is of no use, so nothing that a cart or a PACS
may send is left out: a transfer syntax that no decoder knows still arrives, is kept, and its
picture is excluded with a reason that somebody sees.
"""

from collections.abc import Iterable

from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import ALL_TRANSFER_SYNTAXES, register_uid
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import StorageServiceClass

from dicom_node.commitment_messages import PUSH_MODEL
from dicom_node.scp.upper_layer.private_names import STORAGE_CLASSES as LISTED_STORAGE_CLASSES

VERIFICATION = UID("1.2.840.10008.1.1")

#: Retired storage classes that old carts and archives still send (PS3.6 annex A).
RETIRED_STORAGE_CLASSES = {
    "UltrasoundMultiFrameImageStorageRetired": "1.2.840.10008.5.1.4.1.1.3",
    "NuclearMedicineImageStorageRetired": "1.2.840.10008.5.1.4.1.1.5",
    "UltrasoundImageStorageRetired": "1.2.840.10008.5.1.4.1.1.6",
    "StandaloneOverlayStorage": "1.2.840.10008.5.1.4.1.1.8",
    "StandaloneCurveStorage": "1.2.840.10008.5.1.4.1.1.9",
    "WaveformStorageTrial": "1.2.840.10008.5.1.4.1.1.9.1",
    "StandaloneModalityLUTStorage": "1.2.840.10008.5.1.4.1.1.10",
    "StandaloneVOILUTStorage": "1.2.840.10008.5.1.4.1.1.11",
    "XRayAngiographicBiPlaneImageStorage": "1.2.840.10008.5.1.4.1.1.12.3",
    "VLImageStorageTrial": "1.2.840.10008.5.1.4.1.1.77.1",
    "VLMultiFrameImageStorageTrial": "1.2.840.10008.5.1.4.1.1.77.2",
    "TextSRStorageTrial": "1.2.840.10008.5.1.4.1.1.88.1",
    "AudioSRStorageTrial": "1.2.840.10008.5.1.4.1.1.88.2",
    "DetailSRStorageTrial": "1.2.840.10008.5.1.4.1.1.88.3",
    "ComprehensiveSRStorageTrial": "1.2.840.10008.5.1.4.1.1.88.4",
    "StandalonePETCurveStorage": "1.2.840.10008.5.1.4.1.1.129",
    "HardcopyGrayscaleImageStorage": "1.2.840.10008.5.1.1.29",
    "HardcopyColorImageStorage": "1.2.840.10008.5.1.1.30",
}
for _keyword, _uid in RETIRED_STORAGE_CLASSES.items():
    # Without this pynetdicom accepts the context and then aborts at the first C-STORE on it.
    register_uid(_uid, _keyword, StorageServiceClass)

STORAGE_CLASSES = frozenset(UID(uid) for uid in LISTED_STORAGE_CLASSES.values())

#: The pixels of these are elsewhere or in another stream: there would be nothing to look at.
_WITHOUT_PIXELS = {
    "1.2.840.10008.1.2.4.94",  # JPIP Referenced
    "1.2.840.10008.1.2.4.95",  # JPIP Referenced Deflate
    "1.2.840.10008.1.2.4.204",  # JPIP HTJ2K Referenced
    "1.2.840.10008.1.2.4.205",  # JPIP HTJ2K Referenced Deflate
    "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110-20 Uncompressed Progressive Active Video
    "1.2.840.10008.1.2.7.2",  # SMPTE ST 2110-20 Uncompressed Interlaced Active Video
    "1.2.840.10008.1.2.7.3",  # SMPTE ST 2110-30 PCM Digital Audio
}
MODALITY_PERFORMED_PROCEDURE_STEP = UID("1.2.840.10008.3.1.2.3.3")
INSTANCE_AVAILABILITY_NOTIFICATION = UID("1.2.840.10008.5.1.4.33")
STORAGE_COMMITMENT = PUSH_MODEL
#: The classes of `services`; their messages have no pixels, so no other syntax makes sense.
SERVICE_CLASSES = frozenset(
    {
        MODALITY_PERFORMED_PROCEDURE_STEP,
        INSTANCE_AVAILABILITY_NOTIFICATION,
        STORAGE_COMMITMENT,
    }
)
_SERVICE_SYNTAXES = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
#: pynetdicom does not list this one.
_ENCAPSULATED_UNCOMPRESSED = UID("1.2.840.10008.1.2.1.98")
TRANSFER_SYNTAXES = (
    frozenset(UID(uid) for uid in ALL_TRANSFER_SYNTAXES) | {_ENCAPSULATED_UNCOMPRESSED}
) - _WITHOUT_PIXELS


def supported(
    proposed: Iterable[PresentationContext], services: frozenset[UID] = SERVICE_CLASSES
) -> list[PresentationContext]:
    """What of a proposal to support, with transfer syntaxes in the proposer's own order.

    `services` are the classes beside verification and storage that are answered.
    Its order is the best hint at how it holds the images: nothing is transcoded for our sake.
    Built from the proposal because a table of all classes by all syntaxes costs more than the
    negotiation itself.
    """
    syntaxes: dict[UID, list[UID]] = {}
    for context in proposed:
        abstract = context.abstract_syntax
        taken = _taken(abstract, services)
        if abstract is None or not taken:
            continue
        known = syntaxes.setdefault(abstract, [])
        known += [
            syntax for syntax in context.transfer_syntax if syntax in taken and syntax not in known
        ]
    return [_context(abstract, known) for abstract, known in syntaxes.items() if known]


def _taken(abstract: UID | None, services: frozenset[UID]) -> frozenset[UID]:
    """The transfer syntaxes that are taken for a SOP class; none for one that we do not know."""
    if abstract in services:
        return _SERVICE_SYNTAXES
    if abstract == VERIFICATION or abstract in STORAGE_CLASSES:
        return TRANSFER_SYNTAXES
    return frozenset()


def _context(abstract_syntax: UID, transfer_syntaxes: list[UID]) -> PresentationContext:
    context = PresentationContext()
    context.abstract_syntax = abstract_syntax
    context.transfer_syntax = [*transfer_syntaxes]
    if abstract_syntax == STORAGE_COMMITMENT:
        # Who asks is the SCU; who reports on what we asked calls as the SCP (PS3.4 annex J.3.3).
        context.scu_role = context.scp_role = True
    return context
