"""Selection profiles: by whose rules the loops of a study are chosen."""

from enum import StrEnum


class Profile(StrEnum):
    """A set of selection rules, by the name that settings and bundles give it."""

    PAPER = "paper"
    """Table 4 of the paper (MIDL 2026), read strictly: it fits one vendor's export."""
    VENDOR_NEUTRAL = "vendor-neutral"
    """What shows the same, however a cart writes it: any B-mode clip of one tissue region."""


#: What the notes of every loop begin with that was not selected by the paper's rules.
PROFILE_NOTE = f"Selected by the profile {Profile.VENDOR_NEUTRAL}"
#: What the notes of such a loop begin with where it breaks a rule of the paper.
DEPARTURE_NOTE = f"{PROFILE_NOTE}: departs from the paper"


def narrowest(*given: Profile | None) -> Profile:
    """The first that is given, from the narrowest to the widest; the paper's without any."""
    return next((profile for profile in given if profile is not None), Profile.PAPER)
