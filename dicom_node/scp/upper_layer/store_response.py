"""The C-STORE-RSP command set (PS3.7 table 9.3-2), encoded straight to bytes.

pynetdicom builds a dataset for it and writes that, element by element: a tenth of all that a small
object costs.
"""

import struct

from pynetdicom.dimse_primitives import C_STORE

_C_STORE_RSP = 0x8001
_NO_DATASET = 0x0101


def command_set(response: C_STORE) -> bytes:
    """Encode a response in Implicit VR Little Endian, as every command set is (PS3.7 6.3.1)."""
    elements = b"".join(
        (
            _uid(0x0002, response.AffectedSOPClassUID),
            _us(0x0100, _C_STORE_RSP),
            _us(0x0120, response.MessageIDBeingRespondedTo),
            _us(0x0800, _NO_DATASET),
            _us(0x0900, response.Status),
            _text(0x0902, response.ErrorComment),
            _uid(0x1000, response.AffectedSOPInstanceUID),
        )
    )
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0x0000, number, len(value)) + value


def _us(number: int, value: int | None) -> bytes:
    return _element(number, struct.pack("<H", value or 0))


def _uid(number: int, value: str | None) -> bytes:
    return _element(number, _even(value, b"\0")) if value else b""


def _text(number: int, value: str | None) -> bytes:
    return _element(number, _even(value, b" ")) if value else b""


def _even(value: str, padding: bytes) -> bytes:
    encoded = value.encode("ascii", "replace")
    return encoded + padding * (len(encoded) % 2)
