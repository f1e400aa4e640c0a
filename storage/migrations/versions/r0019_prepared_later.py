"""A revision because an instance could be prepared after all is none that somebody ordered."""

from storage.migrations.words import allow

revision = "0.7.0"
down_revision = "0.6.4"

_REASONS = (
    "quiet period",
    "association released",
    "hard limit",
    "correction",
    "all expected received",
    "association broken",
    "ordered by hand",
    "rerun",
    "companion changed",
)


def upgrade() -> None:
    """Let revisions say so."""
    allow("study_revision", "reason", _REASONS, (*_REASONS, "prepared later"))
