"""The audit: what happened, sealed, told to audit repositories, verified."""
