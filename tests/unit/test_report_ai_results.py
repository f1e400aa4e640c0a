"""What IHE AI Results asks of the Evidence Creator of a structured report (TID 1500, PS3.16)."""

from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset, dcmread

from dicom_node.report import build
from tests.report_cases import IDENTITY, MADE_AT, estimate, study


def report(revision: int = 1) -> Dataset:
    context = study(revision=revision)
    made = build(estimate(), context, identity=IDENTITY, made_at=MADE_AT, kinds=("SR",))
    return dcmread(BytesIO(made[0].data))


def below(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", []):
        yield child
        yield from below(child)


def named(item: Dataset, code_value: str) -> list[Dataset]:
    return [
        child
        for child in below(item)
        if "ConceptNameCodeSequence" in child
        and child.ConceptNameCodeSequence[0].get("CodeValue") == code_value
    ]


def groups() -> list[Dataset]:
    return named(report(), "125007")


def test_it_is_an_imaging_measurement_report() -> None:
    made = report()
    (template,) = made.ContentTemplateSequence
    assert (template.MappingResource, template.TemplateIdentifier) == ("DCMR", "1500")
    assert made.ConceptNameCodeSequence[0].CodeValue == "126000"


def test_its_observer_is_a_device() -> None:
    (kind,) = named(report(), "121005")
    assert kind.ConceptCodeSequence[0].CodeValue == "121007"
    assert len(named(report(), "121012")) == 1, "the device has a UID"


def test_each_group_can_be_tracked_from_revision_to_revision() -> None:
    uids = [[each.UID for each in named(group, "112040")] for group in groups()]
    assert uids
    assert all(len(each) == 1 for each in uids)
    assert len({each[0] for each in uids}) == len(uids)
    assert all(named(group, "112039") for group in groups())
    later = {each.UID for each in named(report(revision=2), "112040")}
    assert later == {each[0] for each in uids}


def test_the_estimates_name_the_algorithm_and_its_version() -> None:
    """The other groups inherit the device observer, which is the same algorithm."""
    estimates, *others = groups()
    (name,), (version,) = named(estimates, "111001"), named(estimates, "111003")
    assert not any(named(group, "111001") for group in others)
    (observer,) = named(report(), "121015")
    (equipment,) = report().ContributingEquipmentSequence
    assert name.TextValue == observer.TextValue == equipment.ManufacturerModelName
    assert version.TextValue == equipment.SoftwareVersions


def test_observations_and_units_are_coded() -> None:
    numbers = [item for item in below(report()) if item.ValueType == "NUM"]
    assert numbers
    for number in numbers:
        (unit,) = number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence
        assert unit.CodingSchemeDesignator == "UCUM"
        assert number.ConceptNameCodeSequence[0].CodingSchemeDesignator


def test_every_image_that_is_pointed_at_is_evidence_of_the_study() -> None:
    made = report()
    pointed_at = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in below(made)
        if item.ValueType == "IMAGE"
    }
    (evidence,) = made.CurrentRequestedProcedureEvidenceSequence
    listed = {
        item.ReferencedSOPInstanceUID
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert evidence.StudyInstanceUID == made.StudyInstanceUID
    assert pointed_at
    assert pointed_at <= listed
