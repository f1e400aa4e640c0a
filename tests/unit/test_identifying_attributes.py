"""The attributes that a correction may change are known by one list, everywhere."""

from dataclasses import fields

from dicom_node.identifying_attributes import CORRECTABLE
from dicom_node.report.context import StudyContext
from storage.corrections.ordered import Identification


def test_the_list_has_every_field_of_a_correction_and_a_report_copies_each() -> None:
    assert set(CORRECTABLE) == {field.name for field in fields(Identification)}
    assert set(CORRECTABLE) <= {field.name for field in fields(StudyContext)}
