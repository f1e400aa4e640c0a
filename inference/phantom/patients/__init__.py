"""Patients with films and ECGs over years."""

from inference.phantom.patients.making import make
from inference.phantom.patients.pair import make_pair

__all__ = ["make", "make_pair"]
