"""What the node may know of this pipeline without loading it."""

from inference.registry import Business, Registration

FILMS = frozenset({"1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"})
TWELVE_LEADS = "1.2.840.10008.5.1.4.1.1.9.1.1"

CHEST_AND_BEAT = Registration(
    Business(reads=FILMS | {TWELVE_LEADS}, anchors=FILMS, reach_days=7),
    "chest_and_beat.pipeline:load",
)
