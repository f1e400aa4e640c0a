"""What a header says of colour flow; weak signs, for carts set them on B-mode as well."""

from pydicom import Dataset

from inference.dicom.elements import integer
from inference.exclusions import reason

#: Image Type value 4 (PS3.3 C.8.5.6.1.1): colour Doppler, colour M-mode, colour power mode.
_COLOUR_MODES = 0x0010 | 0x0020 | 0x0100

COLOUR_FLOW = reason("COLOUR_FLOW", "Colour flow, not B-mode alone")


def colour_signs(header: Dataset) -> tuple[str, ...]:
    """What in the header speaks for colour; weak signs, for carts set them on B-mode as well."""
    signs = []
    if integer(header, "UltrasoundColorDataPresent") == 1:
        signs.append("Ultrasound Color Data Present")
    if _modes(header) & _COLOUR_MODES:
        signs.append("Image Type")
    return tuple(signs)


def _modes(header: Dataset) -> int:
    """Image Type value 4, the bits of the modes that an image shows; 0 where there is none."""
    try:
        return int(str(header.ImageType[3]), 16)
    except Exception:  # noqa: BLE001 - absent, short or malformed: pydicom raises whatever it is
        return 0
