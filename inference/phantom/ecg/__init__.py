"""Synthetic labelled ECGs: a heart as a moving dipole, written as the carts of many makers do."""

from inference.phantom.ecg.making import make, write_decoy, write_form
from inference.phantom.ecg.signal import draw_ecg

__all__ = ["draw_ecg", "make", "write_decoy", "write_form"]
