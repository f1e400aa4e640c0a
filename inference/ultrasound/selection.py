"""Which instances of a study are B-mode cine loops that the model can look at, and why not."""

from collections.abc import Mapping

from pydicom import Dataset

from inference.types import Selection
from inference.ultrasound.paper import PAPER
from inference.ultrasound.profile import Profile
from inference.ultrasound.rules import RuleSet
from inference.ultrasound.vendor_neutral import VENDOR_NEUTRAL

RULE_SETS: Mapping[Profile, RuleSet] = {
    Profile.PAPER: PAPER,
    Profile.VENDOR_NEUTRAL: VENDOR_NEUTRAL,
}


def select(header: Dataset, profile: Profile = Profile.PAPER) -> Selection:
    """Judge one instance by its header; the first rule that fails is the reason. Never raises."""
    return RULE_SETS[profile].judge(header)
