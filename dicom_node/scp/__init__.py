"""Associations in: the listener that answers C-ECHO and keeps what C-STORE brings."""

from dicom_node.scp.listener import Listener, ListenerConfig
from dicom_node.scp.peers import Peer, PeerTable

__all__ = ["Listener", "ListenerConfig", "Peer", "PeerTable"]
