"""Which film of a case an estimate is made of, and which ECG stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inference.radiograph.rules import AP_NOTE, EITHER_NOTE
from inference.types import Encoded

_DAY = timedelta(days=1)
#: Of a film whose view is not surely PA.
_NOT_SURELY_PA = {AP_NOTE, EITHER_NOTE}


@dataclass(frozen=True, slots=True)
class Near:
    """An ECG, and how many days after its film it was recorded (negative: before)."""

    ecg: Encoded
    days: float


def by_preference(films: Sequence[Encoded]) -> list[Encoded]:
    """The films, the one that is used first: PA before others, then the newest, then by UID."""
    by_uid = sorted(films, key=lambda film: film.instance.sop_instance_uid)
    by_time = sorted(by_uid, key=lambda film: moment(film) or datetime.min, reverse=True)
    return sorted(by_time, key=lambda film: not is_surely_pa(film))


def is_surely_pa(film: Encoded) -> bool:
    """Whether a film says that it is PA."""
    return _NOT_SURELY_PA.isdisjoint(film.features.notes)


def nearest(film: Encoded, ecgs: Sequence[Encoded], most_days: int) -> Near | None:
    """The ECG nearest to a film in time, at most so many days before or after.

    Of two that are equally near it is the later one, then the one with the lower UID.
    """
    near = [Near(ecg, days) for ecg in ecgs if (days := days_after(film, ecg)) is not None]
    return min(
        (each for each in near if abs(each.days) <= most_days),
        key=lambda each: (abs(each.days), -each.days, each.ecg.instance.sop_instance_uid),
        default=None,
    )


def days_after(film: Encoded, ecg: Encoded) -> float | None:
    """How many days after a film an ECG was recorded; 0 in one study whose times are not known.

    None: nobody knows.
    """
    of_film, of_ecg = moment(film), moment(ecg)
    if of_film and of_ecg:
        return (of_ecg - of_film) / _DAY
    return 0.0 if film.study == ecg.study else None


def clock_error_days(item: Encoded) -> float:
    """How far the time in an instance is from that of its study, where that is a day or more."""
    stated, of_study = _parsed(item.instance.acquired_at), _parsed(item.study.at)
    if stated is None or of_study is None:
        return 0.0
    difference = abs(stated - of_study)
    return difference / _DAY if difference >= _DAY else 0.0


def moment(item: Encoded) -> datetime | None:
    """When an instance was acquired; where it does not say, when its study was."""
    return _parsed(item.instance.acquired_at) or _parsed(item.study.at)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S")
    except ValueError:
        return None
