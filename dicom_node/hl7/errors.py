"""What can go wrong while talking to an HL7 system.

Hl7Error
├── Hl7UnreachableError   no connection, or it broke before the answer
├── Hl7NotTrustedError    no TLS came about
├── Hl7TimeoutError       the message was taken and not answered in time
├── Hl7AnswerError        the answer is none, or none to this message
└── Hl7RefusedError       the answer is an application error or reject; `code`, `comment`

Messages name the system as configured and never what was to be sent.
"""

from dicom_node.errors import NodeError


class Hl7Error(NodeError):
    """Base of every error that `hl7` raises on purpose."""


class Hl7UnreachableError(Hl7Error):
    """No TCP connection could be made, or it broke."""


class Hl7NotTrustedError(Hl7Error):
    """No TLS came about: one side does not trust the other."""


class Hl7TimeoutError(Hl7Error):
    """The system took a message and did not answer in time."""


class Hl7AnswerError(Hl7Error):
    """The system answered what is no acknowledgement of our message."""


class Hl7RefusedError(Hl7Error):
    """The system refused a message.

    `code` is its acknowledgement code (HL7 table 0008). `comment` is in its own words, which may
    quote the message: show it, never log it.
    """

    def __init__(self, message: str, code: str, comment: str) -> None:
        super().__init__(message)
        self.code = code
        self.comment = comment
