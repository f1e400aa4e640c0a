"""What a pull asks an archive for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dicom_node.scu.query import StudyQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What the wanted studies must have; an empty text, or no day, asks for nothing.

    `first_day` and `last_day` bound the study date, both included; give both or none.
    """

    study_instance_uid: str = ""
    accession_number: str = ""
    patient_id: str = ""
    modality: str = ""
    first_day: date | None = None
    last_day: date | None = None

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Criteria":
        """What `given()` has given."""
        first, last = (given.get(name) for name in ("first_day", "last_day"))
        return cls(
            study_instance_uid=given.get("study_instance_uid", ""),
            accession_number=given.get("accession_number", ""),
            patient_id=given.get("patient_id", ""),
            modality=given.get("modality", ""),
            first_day=date.fromisoformat(first) if first else None,
            last_day=date.fromisoformat(last) if last else None,
        )

    def given(self) -> dict[str, str]:
        """What was asked for, by name, in texts that a database can keep."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: str(value) for name, value in values.items() if value}

    def queries(self) -> Iterator[StudyQuery]:
        """What to ask: one query a day, since archives limit how much they answer at once."""
        for study_date in self._study_dates():
            yield StudyQuery(
                study_instance_uid=self.study_instance_uid,
                accession_number=self.accession_number,
                patient_id=self.patient_id,
                modality=self.modality,
                study_date=study_date,
            )

    def _study_dates(self) -> Iterator[str]:
        if self.first_day is None or self.last_day is None:
            yield ""
            return
        for number in range((self.last_day - self.first_day).days + 1):
            yield (self.first_day + timedelta(days=number)).strftime("%Y%m%d")
