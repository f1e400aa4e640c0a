"""What of a study is to be fetched: only what is not here."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dicom_node.scu.query import FoundInstance
from dicom_node.scu.retrieving import Part

#: UIDs of instances in one request: 64 bytes each, which fits into the smallest PDU that is met.
_MOST_UIDS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch of a study: the instances one by one, and the requests that name them all.

    Where an archive lists no instances, the one request is for the whole study.
    """

    study_instance_uid: str
    missing: tuple[FoundInstance, ...]
    parts: tuple[Part, ...]

    @property
    def sop_class_uids(self) -> tuple[str, ...]:
        """The classes of the instances; none where the archive does not tell them all."""
        classes = tuple(dict.fromkeys(item.sop_class_uid for item in self.missing))
        return () if "" in classes else classes


def wanted(
    study_instance_uid: str, listed: Sequence[FoundInstance], held: Collection[str]
) -> Wanted:
    """What is missing of a study that an archive lists; `held` are SOP Instance UIDs."""
    missing = tuple(item for item in listed if item.sop_instance_uid not in held)
    if len(missing) == len(listed):  # or nothing is listed
        parts: tuple[Part, ...] = (Part(study_instance_uid),)
    else:
        parts = tuple(_parts(study_instance_uid, listed, missing))
    return Wanted(study_instance_uid, missing, parts)


def _parts(
    study_instance_uid: str, listed: Sequence[FoundInstance], missing: Sequence[FoundInstance]
) -> Iterator[Part]:
    """A series of which nothing is here as a whole, others instance by instance."""
    lacking = _by_series(missing)
    for series, all_of_it in _by_series(listed).items():
        uids = lacking.get(series, [])
        if len(uids) == len(all_of_it):
            yield Part(study_instance_uid, series)
        else:
            for at in range(0, len(uids), _MOST_UIDS):
                yield Part(study_instance_uid, series, tuple(uids[at : at + _MOST_UIDS]))


def _by_series(instances: Sequence[FoundInstance]) -> dict[str, list[str]]:
    series: dict[str, list[str]] = defaultdict(list)
    for item in instances:
        series[item.series_instance_uid].append(item.sop_instance_uid)
    return series
