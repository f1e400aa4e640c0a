"""Why an association or a connection is not let in, and what its peer hears."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ: result, source and reason as in PS3.8 table 9-21, and words for us."""

    result: int
    source: int
    diagnostic: int
    reason: str


CALLING_UNKNOWN = Rejection(1, 1, 3, "calling AE title unknown")
# The same answer as to a stranger: whoever guesses titles learns nothing.
ADDRESS_DENIED = Rejection(1, 1, 3, "calling AE title not allowed from this address")
PLAIN_DENIED = Rejection(1, 1, 3, "this peer must come by TLS")
CERTIFICATE_DENIED = Rejection(1, 1, 3, "the certificate is not this peer's")
CALLED_WRONG = Rejection(1, 1, 7, "called AE title is not ours")
TOO_MANY = Rejection(2, 3, 2, "too many associations")
TOO_MANY_OF_PEER = Rejection(2, 3, 2, "too many associations of this peer")
TOO_OFTEN = Rejection(2, 3, 1, "this peer opens associations too often")
NOT_NOW = Rejection(2, 3, 1, "database unavailable")
