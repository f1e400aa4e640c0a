"""The attributes by which a study is identified and that a correction may change."""

from collections.abc import Mapping

#: Field of `storage.corrections.ordered.Identification` -> DICOM keyword.
CORRECTABLE: Mapping[str, str] = {
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
    "study_date": "StudyDate",
    "accession_number": "AccessionNumber",
    "referring_physician_name": "ReferringPhysicianName",
    "study_description": "StudyDescription",
}
