"""Patients with films and ECGs over years."""

from inference.phantom.patients.making import make

__all__ = ["make"]
