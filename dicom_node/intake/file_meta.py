"""The head of a spool file: preamble, prefix and File Meta Information (PS3.10 section 7.1)."""

import struct

#: Fixed for ever, like the version name: the same dataset must give the same file and digest,
#: whichever release of the node received it.
IMPLEMENTATION_CLASS_UID = "2.25.191284527213907438105230246513905716402"
_IMPLEMENTATION_VERSION_NAME = "ECHONODE_SPOOL_1"


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Encode everything that stands before the dataset, from the C-STORE request's values.

    It names no sender: the same instance from two peers is one file.
    """
    elements = (
        _element(0x0001, b"OB", b"\x00\x01")
        + _element(0x0002, b"UI", _text(sop_class_uid, b"\0"))
        + _element(0x0003, b"UI", _text(sop_instance_uid, b"\0"))
        + _element(0x0010, b"UI", _text(transfer_syntax_uid, b"\0"))
        + _element(0x0012, b"UI", _text(IMPLEMENTATION_CLASS_UID, b"\0"))
        + _element(0x0013, b"SH", _text(_IMPLEMENTATION_VERSION_NAME, b" "))
    )
    length = _element(0x0000, b"UL", struct.pack("<I", len(elements)))
    return bytes(128) + b"DICM" + length + elements


def _element(number: int, vr: bytes, value: bytes) -> bytes:
    """One element of group 0002 in Explicit VR Little Endian (PS3.5 section 7.1.2)."""
    head = struct.pack("<HH2s", 0x0002, number, vr)
    size = struct.pack("<HI", 0, len(value)) if vr == b"OB" else struct.pack("<H", len(value))
    return head + size + value


def _text(value: str, padding: bytes) -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)
