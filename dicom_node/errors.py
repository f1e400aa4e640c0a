"""What can go wrong in the node itself.

NodeError
├── SettingsError        the settings cannot be used; the message names the key and the remedy
├── OrderError           what was asked for cannot be done as given; the message says why
├── DemoError            the demonstration did not come to its end; the message says why
├── PortTakenError       another process listens on the node's port
├── NoProgressError      a job was put off too often; the message says why
├── TlsFileError         (tls/errors) a certificate, key or revocation list cannot be used
├── HandshakeError       (scp/upper_layer) no TLS came about
├── UnreadableMessageError (commitment) a request or report on storage commitment makes no sense
├── ReportError          (report/errors) an object would not be valid and is not sent
├── ClassesRefusedError, OvertakenError, UnreachedError
│                        (delivery/errors) a destination cannot have, or does not need, an object
├── Hl7Error             (hl7/errors) an HL7 system is away, refuses or talks nonsense
├── WebError             (dicomweb/errors) a DICOMweb service is away, refuses or talks nonsense
└── ScuError             (scu/errors) a peer is away, refuses or breaks off
"""


class NodeError(Exception):
    """Base of every error that `dicom_node` raises; messages hold no patient identity."""


class SettingsError(NodeError):
    """The settings cannot be used."""


class PortTakenError(NodeError):
    """Another process listens on the node's port."""


class NoProgressError(NodeError):
    """A job was put off so often that somebody must look."""


class OrderError(NodeError):
    """What an operator asks for cannot be done as it was given."""


class DemoError(NodeError):
    """The demonstration did not come to its end."""
