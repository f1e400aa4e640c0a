"""What every profile asks first of an instance: what was examined, of whom, and how."""

from collections.abc import Mapping

from pydicom import Dataset

from inference import population
from inference.types import Code, Verdict
from inference.ultrasound import acquisition
from inference.ultrasound.acquisition import at_rest, no_contrast, transthoracic
from inference.ultrasound.regions import Region
from inference.ultrasound.rules import NOT_ULTRASOUND, Rule, ultrasound_image
from inference.ultrasound.subject import NOT_CARDIAC, shows_heart

REASONS: Mapping[str, Code] = {
    "ultrasound_image": NOT_ULTRASOUND,
    "human": population.NOT_HUMAN,
    "adult": population.UNDER_18,
    "shows_heart": NOT_CARDIAC,
    **acquisition.REASONS,
}


def human(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the patient is no animal."""
    return population.human(header)


def adult(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the patient is an adult, or of unknown age."""
    return population.adult(header)


RULES: tuple[Rule, ...] = (
    ultrasound_image,
    human,
    adult,
    shows_heart,
    transthoracic,
    at_rest,
    no_contrast,
)
