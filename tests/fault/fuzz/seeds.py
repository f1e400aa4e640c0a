"""What mutation begins with: honest connections and files, made here."""

import struct
import zlib
from collections.abc import Iterable

from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.fault.fuzz.dataset import SYNTAXES
from tests.fault.fuzz.pdu import ESTABLISHED, FROM_THE_START
from tests.fault.messages import (
    ABORT,
    ECHO_CINE,
    RELEASE_REQUEST,
    association_request,
    echo,
    encode,
    odd_requests,
    small_instance,
    store,
)


def connections() -> list[bytes]:
    """Inputs of the target `pdu`."""
    request, verify, instance = association_request(), echo(), b"".join(store())
    start, opened = bytes([FROM_THE_START]), bytes([ESTABLISHED])
    return [
        start + request + verify + instance + RELEASE_REQUEST,
        start + association_request(rich=True) + RELEASE_REQUEST,
        start + request + ABORT,
        *(start + odd + verify + RELEASE_REQUEST for odd in odd_requests().values()),
        opened + verify + instance + RELEASE_REQUEST,
        opened + instance + instance + ABORT,
        opened + b"".join(store(context_id=3)) + verify,
        opened + b"".join(store(pieces=40)) + RELEASE_REQUEST,
    ]


def open_associations() -> list[bytes]:
    """Inputs of the target `reading`."""
    opened = [seed for seed in connections() if seed[0] == ESTABLISHED]
    return [*opened, bytes([ESTABLISHED]) + association_request(rich=True)]


def files() -> list[bytes]:
    """Inputs of the target `dataset`: an index into its transfer syntaxes, then a dataset."""
    plain, cine = small_instance(), _cine()
    encapsulated = _cine()
    encapsulated.PixelData = encapsulate([b"\xff\xd8\xff" + bytes(61)] * 4)
    encapsulated["PixelData"].VR = "OB"
    encapsulated["PixelData"].is_undefined_length = True
    made = []
    for number, uid in enumerate(SYNTAXES):
        syntax = UID(uid)
        if syntax.is_encapsulated:
            datasets: Iterable[Dataset] = [encapsulated]
        else:
            datasets = [plain, cine]
        for dataset in datasets:
            encoded = encode(
                dataset, implicit=syntax.is_implicit_VR, little=syntax.is_little_endian
            )
            if syntax.is_deflated:
                encoded = zlib.compress(encoded, wbits=-zlib.MAX_WBITS)
            made.append(bytes([number]) + encoded)
    return made


def _cine() -> Dataset:
    """A loop that the selection takes: one tissue region, R waves, frame time, three samples."""
    dataset = small_instance()
    dataset.SOPClassUID = ECHO_CINE
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 7, 3
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.1
    dataset.SequenceOfUltrasoundRegions = Sequence([region])
    dataset.NumberOfFrames, dataset.FrameTime = 4, "33.3"
    dataset.RWaveTimeVector = [10.0, 90.0]
    dataset.FrameIncrementPointer = 0x00181063
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.PlanarConfiguration, dataset.Rows, dataset.Columns = 0, 4, 8
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = struct.pack("<384B", *(index % 256 for index in range(384)))
    dataset["PixelData"].VR = "OB"
    return dataset
