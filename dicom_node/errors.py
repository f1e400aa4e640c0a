"""What can go wrong in the node itself.

NodeError
├── SettingsError        the settings cannot be used; the message names the key and the remedy
├── DemoError            the demonstration did not come to its end; the message says why
├── PortTakenError       another process listens on the node's port
└── ReportError          a report object does not pass our own check and is not sent
"""


class NodeError(Exception):
    """Base of every error that `dicom_node` raises; messages hold no patient identity."""


class SettingsError(NodeError):
    """The settings cannot be used."""


class PortTakenError(NodeError):
    """Another process listens on the node's port."""


class ReportError(NodeError):
    """A report object does not pass our own check."""


class DemoError(NodeError):
    """The demonstration did not come to its end."""
