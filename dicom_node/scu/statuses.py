"""What a C-STORE response status means to the sender (PS3.4 annex B.2.3, PS3.7 annex C)."""

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
DUPLICATE_SOP_INSTANCE = 0x0111
SOP_CLASS_NOT_SUPPORTED = 0x0122

#: PS3.7 annex C.3: attribute list error, attribute value out of range; 0x0001 is their parent.
_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})


def means_stored(status: int) -> bool:
    """Whether the peer has the object: success, a warning, or it had it already."""
    is_warning = status in _WARNINGS or 0xB000 <= status <= 0xBFFF
    return is_warning or status in {SUCCESS, DUPLICATE_SOP_INSTANCE}
