"""What can go wrong with certificates and keys on disk."""

from dicom_node.errors import NodeError


class TlsFileError(NodeError):
    """A certificate, key or revocation list cannot be used; the message names file and remedy."""
