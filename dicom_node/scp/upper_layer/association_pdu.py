"""A-ASSOCIATE-RQ and -AC as real devices write them, put in order before pynetdicom reads them.

pynetdicom raises on whatever PS3.8 does not foresee, and the association is lost. Here every item
and sub-item that the node does not negotiate is skipped, as PS3.8 section 9.3.1 asks of a
receiver, and what is malformed or missing is replaced by what does the least harm:

| in the PDU                                      | becomes                                      |
| ----------------------------------------------- | -------------------------------------------- |
| unknown items and sub-items                     | skipped                                      |
| no Maximum Length, or one of another size       | 16,384 bytes: what every implementation takes |
| Implementation Version Name over 16 characters  | its first 16                                 |
| a proposed context without a transfer syntax    | refused (result 4), the others stand         |
| a proposed context without an abstract syntax   | refused (result 3), the others stand         |
| an accepted context without a transfer syntax   | not accepted                                 |
| a context with an even ID                       | skipped: no message can name it              |
| rubbish behind a NUL in an AE title             | cut off                                      |

Nothing here knows pynetdicom; both ways, SCP and SCU, go through `tidied`.
"""

import struct
from collections.abc import Iterator

REQUEST, ACCEPT = 0x01, 0x02
#: Called and calling AE title: their offsets in both PDUs, and their size (PS3.8 table 9-11).
_TITLES = (10, 26)
_TITLE_BYTES = 16
#: Where the variable items begin.
_ITEMS = 74
_ITEM_HEAD = struct.Struct(">BxH")
_APPLICATION_CONTEXT, _USER_INFORMATION = 0x10, 0x50
_PROPOSED, _ANSWERED = 0x20, 0x21
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _IMPLEMENTATION, _ROLE, _VERSION_NAME = 0x51, 0x52, 0x54, 0x55
_DICOM = b"1.2.840.10008.3.1.1.1"
_IMPLICIT_LITTLE = b"1.2.840.10008.1.2"
#: No class and no syntax has these (PS3.5 annex B.2), so that a context with one is refused.
_NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = b"2.25.0", b"2.25.0"
#: Stands for a title without a printable character: pynetdicom raises on an empty one.
_NO_TITLE = b"?"
_SAFE_MAXIMUM_LENGTH = 16_384
_VERSION_NAME_BYTES = 16
_LONGEST_UID_BYTES = 64
_ACCEPTED, _NO_REASON, _SYNTAX_REFUSED = 0, 2, 4
_DIGITS = frozenset(b"0123456789.")


def tidied(pdu: bytes) -> bytes:
    """An association's request or acceptance without what pynetdicom cannot read; else the PDU.

    A PDU whose lengths do not add up is left as it is: nothing tells where its items end.
    """
    if len(pdu) < _ITEMS or pdu[0] not in (REQUEST, ACCEPT):
        return pdu
    try:
        items = _tidy_items(pdu[_ITEMS:], is_request=pdu[0] == REQUEST)
    except ValueError:
        return pdu
    fixed = bytearray(pdu[:_ITEMS])
    for offset in _TITLES:
        fixed[offset : offset + _TITLE_BYTES] = _tidy_title(
            bytes(fixed[offset : offset + _TITLE_BYTES])
        )
    struct.pack_into(">I", fixed, 2, _ITEMS - 6 + len(items))
    return bytes(fixed) + items


def _tidy_title(title: bytes) -> bytes:
    """Padding with NUL means nothing, and what follows one was left in the device's memory."""
    meant = title.lstrip(b"\0 ").partition(b"\0")[0]
    printable = bytes(each for each in meant if 0x20 <= each < 0x7F).strip()
    return (printable or _NO_TITLE).ljust(_TITLE_BYTES)


def _tidy_items(data: bytes, *, is_request: bool) -> bytes:
    contexts: dict[int, bytes] = {}
    user: list[tuple[int, bytes]] = []
    for kind, value in _items(data):
        if kind == (_PROPOSED if is_request else _ANSWERED) and len(value) >= 4 and value[0] % 2:
            tidy = _proposed(value) if is_request else _answered(value)
            contexts.setdefault(value[0], tidy)
        elif kind == _USER_INFORMATION:
            user += _items(value)
    return (
        _item(_APPLICATION_CONTEXT, _application_context(data))
        + b"".join(contexts.values())
        + _item(_USER_INFORMATION, _user_information(user))
    )


def _application_context(data: bytes) -> bytes:
    named = [value for kind, value in _items(data) if kind == _APPLICATION_CONTEXT]
    return (_uid(named[0]) if named else None) or _DICOM


def _proposed(value: bytes) -> bytes:
    """A presentation context item of a request (PS3.8 table 9-13)."""
    abstract, syntaxes = _syntaxes(value)
    names = [_item(_TRANSFER_SYNTAX, name) for name in syntaxes or [_NO_TRANSFER_SYNTAX]]
    body = _item(_ABSTRACT_SYNTAX, abstract or _NO_ABSTRACT_SYNTAX) + b"".join(names)
    return _item(_PROPOSED, value[:4] + body)


def _answered(value: bytes) -> bytes:
    """A presentation context item of an acceptance (PS3.8 table 9-18).

    Where it is refused, its transfer syntax says nothing.
    """
    _, syntaxes = _syntaxes(value)
    result = value[2] if value[2] <= _SYNTAX_REFUSED else _NO_REASON
    if result == _ACCEPTED and not syntaxes:
        result = _SYNTAX_REFUSED
    name = syntaxes[0] if syntaxes else _IMPLICIT_LITTLE
    head = bytes((value[0], 0, result, 0))
    return _item(_ANSWERED, head + _item(_TRANSFER_SYNTAX, name))


def _syntaxes(value: bytes) -> tuple[bytes | None, list[bytes]]:
    """The abstract syntax and the transfer syntaxes of a context, as far as they are UIDs."""
    named = [(kind, _uid(name)) for kind, name in _items(value[4:])]
    abstract = [name for kind, name in named if kind == _ABSTRACT_SYNTAX and name]
    syntaxes = [name for kind, name in named if kind == _TRANSFER_SYNTAX and name]
    return (abstract[0] if abstract else None), syntaxes


def _user_information(given: list[tuple[int, bytes]]) -> bytes:
    """What the node negotiates of it (PS3.7 annex D.3.3); of what stands there once, the first."""
    once: dict[int, bytes] = {}
    roles = []
    for kind, value in given:
        if kind == _ROLE:
            roles.append(_role(value))
        else:
            once.setdefault(kind, value)
    length = once.get(_MAXIMUM_LENGTH, b"")
    if len(length) != 4:
        length = struct.pack(">I", _SAFE_MAXIMUM_LENGTH)
    version = bytes(each for each in once.get(_VERSION_NAME, b"") if 0x20 <= each < 0x7F)
    version = version.strip()[:_VERSION_NAME_BYTES]
    implementation = _uid(once.get(_IMPLEMENTATION, b""))
    return (
        _item(_MAXIMUM_LENGTH, length)
        + (_item(_IMPLEMENTATION, implementation) if implementation else b"")
        + b"".join(roles)
        + (_item(_VERSION_NAME, version) if version else b"")
    )


def _role(value: bytes) -> bytes:
    """An SCP/SCU role selection sub-item (PS3.7 table D.3-9); nothing where it is malformed."""
    if len(value) < 2:
        return b""
    [size] = struct.unpack_from(">H", value)
    uid, flags = _uid(value[2 : 2 + size]), value[2 + size : 4 + size]
    if uid is None or len(flags) != 2:
        return b""
    plain = bytes(min(flag, 1) for flag in flags)
    return _item(_ROLE, struct.pack(">H", len(uid)) + uid + plain)


def _uid(value: bytes) -> bytes | None:
    """A UID without padding; None where it is none."""
    uid = value.strip(b"\0 ")
    is_one = 0 < len(uid) <= _LONGEST_UID_BYTES and _DIGITS.issuperset(uid)
    return uid if is_one else None


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM_HEAD.pack(kind, len(value)) + value


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each item; fewer bytes than a head at the end are padding.

    Raises:
        ValueError: an item is longer than what holds it.
    """
    position = 0
    while position + _ITEM_HEAD.size <= len(data):
        kind, length = _ITEM_HEAD.unpack_from(data, position)
        position += _ITEM_HEAD.size
        if position + length > len(data):
            raise ValueError("an item is longer than what holds it")
        yield kind, data[position : position + length]
        position += length
