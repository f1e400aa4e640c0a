"""What can go wrong while talking to a remote node.

ScuError
├── PeerUnreachableError        no TCP connection: refused, no route, unknown host, no answer
├── NotTrustedError             no TLS came about: the peer's certificate, ours, or no common ground
├── AssociationRejectedError    A-ASSOCIATE-RJ; `reason` in the standard's words
├── AssociationAbortedError     the peer aborted, or the connection broke
├── NoAcceptedContextError      the peer takes none of the SOP classes or transfer syntaxes
├── ResponseTimeoutError        the peer took the request and never answered
├── UnclearAnswerError          the peer answered, and to something else
├── RequestRefusedError         the peer answered a query or a retrieval with a failure; `status`
└── NotSendableError            a file is no DICOM file with a File Meta group

Messages name the peer as configured and never what was to be sent.
"""

from dicom_node.errors import NodeError


class ScuError(NodeError):
    """Base of every error that `scu` raises on purpose."""


class PeerUnreachableError(ScuError):
    """No TCP connection could be made."""


class NotTrustedError(ScuError):
    """No TLS came about: one side does not trust the other, or the peer speaks none."""


class AssociationRejectedError(ScuError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 section 9.3.4)."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class AssociationAbortedError(ScuError):
    """The peer aborted, or the connection broke."""


class NoAcceptedContextError(ScuError):
    """The peer accepted no presentation context for what is to be done."""


class ResponseTimeoutError(ScuError):
    """The peer took a request and did not answer in time."""


class UnclearAnswerError(ScuError):
    """The peer's response is to another message or names another instance."""


class RequestRefusedError(ScuError):
    """The peer answered a request with a failure (PS3.7 annex C, PS3.4 annex C.4); or nonsense.

    `status` is None where it gave none that is a failure.
    """

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class NotSendableError(ScuError):
    """A file cannot be sent: it is no DICOM file with a complete File Meta group."""
