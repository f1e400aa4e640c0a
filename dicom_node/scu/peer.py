"""Whom to call, and how long to wait for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteNode:
    """A remote application entity as an administrator configures it.

    `ae_title` is the called, `calling_ae_title` our own title towards this node. `acse_timeout_s`
    bounds the answer to an association or release request, `dimse_timeout_s` the answer to one
    message and any standstill while a message is sent. `maximum_pdu_bytes` is what we can receive.
    """

    name: str
    host: str
    port: int
    ae_title: str
    calling_ae_title: str
    connect_timeout_s: float = 10.0
    acse_timeout_s: float = 30.0
    dimse_timeout_s: float = 60.0
    maximum_pdu_bytes: int = 131072

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title} at {self.host}:{self.port})"
