"""Fetching: studies are found in an archive and brought here, whatever way it gives them."""
