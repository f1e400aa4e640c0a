"""Which studies a pull is about: those that were asked for, and earlier ones of their patients."""

from collections.abc import Iterator, Sequence

from dicom_node.retrieval.archive import Archive
from dicom_node.retrieval.criteria import Criteria
from dicom_node.scu.query import FoundStudy, StudyQuery
from storage.retrieval.pulls import StudyToFetch


def search(archive: Archive, criteria: Criteria, priors: int) -> Iterator[list[StudyToFetch]]:
    """The studies to fetch, in batches as they are found: all that were asked for come first.

    `priors` is how many earlier studies of each patient come too, the latest first.

    Raises:
        ScuError, WebError: the archive could not be asked.
    """
    asked: dict[str, FoundStudy] = {}
    for query in criteria.queries():
        found = {study.study_instance_uid: study for study in archive.find_studies(query)}
        asked |= found
        yield [to_fetch(study) for study in found.values()]
    if priors:
        for study in asked.values():
            earlier = _priors(archive, study, set(asked))[:priors]
            yield [to_fetch(prior, study.study_instance_uid) for prior in earlier]


def to_fetch(study: FoundStudy, prior_of_uid: str = "") -> StudyToFetch:
    """A study that was found, as storage has it."""
    return StudyToFetch(
        study_instance_uid=study.study_instance_uid,
        patient_id=study.patient_id,
        accession_number=study.accession_number,
        study_date=study.study_date,
        listed=study.instances,
        prior_of_uid=prior_of_uid,
    )


def _priors(archive: Archive, study: FoundStudy, asked: set[str]) -> Sequence[FoundStudy]:
    """Earlier studies of the same patient and kind, the latest first.

    None without a Patient ID, or a date to be earlier than.
    """
    if not (study.patient_id and study.study_date):
        return []
    all_of_patient = archive.find_studies(StudyQuery(patient_id=study.patient_id))
    earlier = [
        other
        for other in all_of_patient
        if other.study_instance_uid not in asked
        and other.study_date
        and other.study_date < study.study_date
        and _alike(other, study)
    ]
    return sorted(earlier, key=lambda other: other.study_date, reverse=True)


def _alike(one: FoundStudy, other: FoundStudy) -> bool:
    """Whether two studies share a modality; who does not tell is believed."""
    told = bool(one.modalities and other.modalities)
    return not told or bool(set(one.modalities) & set(other.modalities) - {"SR", "KO", "PR"})
