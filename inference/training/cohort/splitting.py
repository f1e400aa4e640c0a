"""Patients to training, validation and test."""

import hashlib
from collections.abc import Iterable, Sequence

from inference.errors import TrainingDataError

SPLITS = ("train", "validation", "test")


def order(patient_id: str, seed: int) -> str:
    """A patient's place in the seeded shuffle; it depends on nothing but patient and seed."""
    return hashlib.sha256(f"{seed}:{patient_id}".encode()).hexdigest()


def split_patients(
    patient_ids: Iterable[str], *, seed: int, shares: Sequence[float] = (0.65, 0.15, 0.20)
) -> dict[str, str]:
    """Give every patient one split, so that all exams of a patient lie on one side.

    The shares are met to the nearest patient. Neither order nor repeats of `patient_ids` matter,
    and when a cohort grows only the patients near a cut change sides.

    Raises:
        TrainingDataError: the shares are not three positive numbers that sum to one, or there
            are too few patients for each split to have one.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise TrainingDataError("split: give three positive shares that sum to 1")
    shuffled = sorted(set(patient_ids), key=lambda patient_id: order(patient_id, seed))
    first = round(shares[0] * len(shuffled))
    second = round((shares[0] + shares[1]) * len(shuffled))
    parts = (shuffled[:first], shuffled[first:second], shuffled[second:])
    for name, part in zip(SPLITS, parts, strict=True):
        if not part:
            raise TrainingDataError(
                f"split: {len(shuffled)} patients leave the {name} split empty; "
                "add patients or change the shares"
            )
    return {
        patient_id: name for name, part in zip(SPLITS, parts, strict=True) for patient_id in part
    }
