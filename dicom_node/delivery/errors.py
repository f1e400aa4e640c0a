"""What keeps an object from being delivered, beside the errors of the rooms that send.

NodeError
├── ClassesRefusedError   the destination takes no rendition; the message says what to enable
├── OvertakenError        it has a later message of the same kind, which an earlier must not follow
└── UnreachedError        it does not answer, asked whether it is there
"""

from dicom_node.errors import NodeError


class ClassesRefusedError(NodeError):
    """The destination takes no rendition of the object."""


class OvertakenError(NodeError):
    """The destination already has what replaces this."""


class UnreachedError(NodeError):
    """The destination does not answer."""
