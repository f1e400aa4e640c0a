"""Pulls: orders to fetch studies from an archive, and how far they are."""
