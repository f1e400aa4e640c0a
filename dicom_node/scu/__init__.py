"""Associations out: verification and storage towards other nodes; never imports torch."""
