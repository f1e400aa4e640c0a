"""What a report says about instances that were refused and not sent again."""

from collections import Counter
from collections.abc import Sequence

from storage.studies.refused_instances import Refused

#: Why, in words for a reader, by the C-STORE status that was answered.
_REASONS = {
    0x0117: "malformed SOP Instance UID",
    0xA700: "no disk space or no database",
    0xA900: "not what their sender announced",
    0xC000: "unreadable",
}
_OTHER = "error of the node"


def refused_sentences(refused: Sequence[Refused]) -> tuple[str, ...]:
    """One sentence for each reason, the most frequent first."""
    reasons = Counter(_REASONS.get(item.status, _OTHER) for item in refused)
    return tuple(
        f"{count} {'instances were' if count > 1 else 'instance was'} refused ({why}) and not "
        "sent again."
        for why, count in reasons.most_common()
    )
