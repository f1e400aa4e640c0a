"""Patients to training, validation and test; no patient is ever in two of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from inference.errors import TrainingDataError

SPLITS = ("train", "validation", "test")
SHARES = (0.65, 0.15, 0.20)


class SplitBy(StrEnum):
    """What decides who is in the test split."""

    PATIENT = "patient"
    """A seeded shuffle."""
    DATE = "date"
    """The patients with the latest exams: what a model meets after it was trained."""
    SITE = "site"
    """The patients of named institutions or stations: what it meets elsewhere."""


def order(patient_id: str, seed: int) -> str:
    """A patient's place in the seeded shuffle; it depends on nothing but patient and seed."""
    return hashlib.sha256(f"{seed}:{patient_id}".encode()).hexdigest()


def split_patients(
    patient_ids: Iterable[str], *, seed: int, shares: Sequence[float] = SHARES
) -> dict[str, str]:
    """Give every patient one split, so that all exams of a patient lie on one side.

    The shares are met to the nearest patient. Neither order nor repeats of `patient_ids` matter,
    and when a cohort grows only the patients near a cut change sides.

    Raises:
        TrainingDataError: the shares are not three positive numbers that sum to one, or there
            are too few patients for each split to have one.
    """
    _check(shares)
    shuffled = sorted(set(patient_ids), key=lambda patient_id: order(patient_id, seed))
    first = round(shares[0] * len(shuffled))
    second = round((shares[0] + shares[1]) * len(shuffled))
    return _named(shuffled[:first], shuffled[first:second], shuffled[second:])


def split_by_date(
    latest_exam: Mapping[str, str], *, seed: int, shares: Sequence[float] = SHARES
) -> dict[str, str]:
    """The patients whose latest exams are the last go to test, the others by the shuffle.

    `latest_exam` is the date of each patient's latest exam, YYYY-MM-DD. Every exam of training and
    validation is then at least as old as the latest one of every test patient.

    Raises:
        TrainingDataError: as `split_patients`.
    """
    _check(shares)
    by_date = sorted(latest_exam, key=lambda each: (latest_exam[each], order(each, seed)))
    cut = round((shares[0] + shares[1]) * len(by_date))
    return _with_test(by_date[:cut], by_date[cut:], seed, shares)


def split_by_site(
    sites: Mapping[str, Iterable[str]],
    test_sites: Iterable[str],
    *,
    seed: int,
    shares: Sequence[float] = SHARES,
) -> dict[str, str]:
    """The patients with an exam at one of the test sites go to test, the others by the shuffle.

    `sites` names each patient's institutions and stations; case does not matter. Of the shares only
    the proportion of training and validation counts.

    Raises:
        TrainingDataError: no test site is given, one occurs nowhere; or as `split_patients`.
    """
    _check(shares)
    wanted = {_plain(site): site for site in test_sites if _plain(site)}
    if not wanted:
        raise TrainingDataError("split: by site needs the names of the test sites (--test-site)")
    found = {patient: {_plain(site) for site in names} for patient, names in sites.items()}
    known = set().union(*found.values())
    for plain, given in wanted.items():
        if plain not in known:
            names = sorted({site for each in sites.values() for site in each if _plain(site)})
            listed = ", ".join(names[:20]) or "none is named in the files"
            raise TrainingDataError(f"split: no exam of the site {given!r}; sites: {listed}")
    test = [patient for patient in found if found[patient] & wanted.keys()]
    return _with_test([each for each in found if each not in set(test)], test, seed, shares)


def _with_test(
    rest: Sequence[str], test: Sequence[str], seed: int, shares: Sequence[float]
) -> dict[str, str]:
    shuffled = sorted(rest, key=lambda patient_id: order(patient_id, seed))
    cut = round(shares[0] / (shares[0] + shares[1]) * len(shuffled))
    return _named(shuffled[:cut], shuffled[cut:], test)


def _named(*parts: Sequence[str]) -> dict[str, str]:
    for name, part in zip(SPLITS, parts, strict=True):
        if not part:
            raise TrainingDataError(
                f"split: {sum(map(len, parts))} patients leave the {name} split empty; "
                "add patients or change the shares"
            )
    return {
        patient_id: name for name, part in zip(SPLITS, parts, strict=True) for patient_id in part
    }


def _check(shares: Sequence[float]) -> None:
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise TrainingDataError("split: give three positive shares that sum to 1")


def _plain(site: str) -> str:
    return " ".join(site.split()).casefold()
