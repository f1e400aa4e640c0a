"""What takes a report back: orders of an administrator or a peer, and rejection notes."""
