"""The patients that estimates are meant for: adults. The age limits stand here only."""

import re
from collections.abc import Iterator
from datetime import date

from pydicom import Dataset

from inference.dicom.elements import items, text
from inference.exclusions import reason
from inference.types import Verdict

ADULT_YEARS = 18
#: An age above this is an error, or a date that a cart or an anonymiser filled in.
OLDEST_YEARS = 130

NOT_HUMAN = reason("NOT_HUMAN", "Patient is not a human")
#: How Patient Species (PS3.3 C.7.1.1, CID 7454) says that it is one.
_HUMAN = re.compile(r"human|homo|mensch", re.IGNORECASE)
UNDER_18 = reason("UNDER_18", f"Patient is under {ADULT_YEARS} years old")
AGE_UNKNOWN = (
    f"The patient's age is unknown; the model is for adults ({ADULT_YEARS} years or older) only."
)
#: Detail of a verdict on the age that was made without one.
_NO_AGE = "age unknown"

OUTSIDE_AGES = reason("OUTSIDE_AGES", "Patient's age is not one that the model is for")

_PER_YEAR = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
_DATES = ("StudyDate", "AcquisitionDate", "AcquisitionDateTime", "ContentDate")


def adult(header: Dataset) -> Verdict:
    """Rule: the patient is an adult, or of unknown age."""
    years = age_years(header)
    if years is None:
        return Verdict("adult", True, _NO_AGE)
    return Verdict("adult", years >= ADULT_YEARS, f"patient is {int(years)} years old")


def of_age(header: Dataset, from_years: float, below_years: float | None) -> Verdict:
    """Rule: the patient is at least as old as one age, younger than another, or of unknown age."""
    years = age_years(header)
    if years is None:
        return Verdict("of_age", True, _NO_AGE)
    passed = from_years <= years and (below_years is None or years < below_years)
    return Verdict("of_age", passed, f"patient is {int(years)} years old")


def human(header: Dataset) -> Verdict:
    """Whether the patient is a human; one of whom no species is stated is."""
    codes = items(header, "PatientSpeciesCodeSequence")
    stated = [text(code, "CodeMeaning") for code in codes]
    species = next(filter(None, [text(header, "PatientSpeciesDescription"), *stated]), "")
    is_animal = bool(species and not _HUMAN.search(species))
    return Verdict("human", not is_animal, "another species" if is_animal else "no animal")


def age_is_unknown(verdict: Verdict) -> bool:
    """Whether a verdict of `adult` or `of_age` was made without an age."""
    return verdict.rule in {"adult", "of_age"} and verdict.detail == _NO_AGE


def age_years(header: Dataset) -> float | None:
    """Age at the examination in years, by Patient's Age (PS3.5 AS), else by the birth date.

    None where both are absent or impossible (below 0, above 130). An age of zero is
    believed only where no birth date speaks against it, since carts write it where none was typed.
    """
    return next((age for age in _ages(header) if 0 <= age <= OLDEST_YEARS), None)


def study_date(header: Dataset) -> date | None:
    """Study Date; None where it is absent or no date."""
    return _day(header, "StudyDate")


def _ages(header: Dataset) -> Iterator[float]:
    """The ages that a header states, most trusted first."""
    stated = re.fullmatch(r"(\d{1,3})([DWMY])", text(header, "PatientAge").upper())
    age = int(stated[1]) / _PER_YEAR[stated[2]] if stated else None
    if age:
        yield age
    born = _day(header, "PatientBirthDate")
    seen = next(filter(None, (_day(header, keyword) for keyword in _DATES)), None)
    if born and seen:
        yield _years_between(born, seen)
    if age == 0:
        yield age


def _years_between(born: date, seen: date) -> float:
    """Whole years by the calendar, and what has passed since the last birthday."""
    whole = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    if whole < 0:
        return -1.0
    # A birthday on 29 February is kept on 1 March.
    birthday = (born.month, born.day) if (born.month, born.day) != (2, 29) else (3, 1)
    last = date(seen.year - ((seen.month, seen.day) < birthday), *birthday)
    return whole + min((seen - last).days / 366, 0.999)


def _day(header: Dataset, keyword: str) -> date | None:
    """A date (PS3.5 DA, DT), also with dots or dashes as older objects write it."""
    digits = re.match(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)", text(header, keyword))
    try:
        return date(*map(int, digits.groups())) if digits else None
    except ValueError:
        return None
