"""What of a stored message is looked at when it is sent: where it ends, its ID, its address."""

from dicom_node.hl7.segments import escaped

_START = b"MSH|"
#: MSH-5 and MSH-6, counted from MSH itself; MSH-1 is the separator behind it.
_APPLICATION, _FACILITY, _CONTROL_ID = 4, 5, 9


def split(messages: bytes) -> list[bytes]:
    """The messages that were stored together, in their order."""
    _, *parts = (b"\r" + messages).split(b"\r" + _START)
    return [_START + part.rstrip(b"\r") + b"\r" for part in parts]


def control_id(message: bytes) -> str:
    """The message control ID (MSH-10)."""
    return message.partition(b"\r")[0].split(b"|")[_CONTROL_ID].decode()


def addressed(message: bytes, application: str, facility: str) -> bytes:
    """The message with its receiving application and facility (MSH-5, MSH-6)."""
    header, end, rest = message.partition(b"\r")
    fields = header.split(b"|")
    fields[_APPLICATION] = escaped(application).encode()
    fields[_FACILITY] = escaped(facility).encode()
    return b"|".join(fields) + end + rest
