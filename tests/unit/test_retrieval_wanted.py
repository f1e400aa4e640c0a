"""Only what is missing is asked for, in as few requests as name it."""

from dicom_node.retrieval.wanted import wanted
from dicom_node.scu.query import FoundInstance
from dicom_node.scu.retrieving import Part


def listed(series: str, *numbers: int) -> list[FoundInstance]:
    return [
        FoundInstance(
            series_instance_uid=series, sop_instance_uid=f"{series}.{number}", sop_class_uid="1.1"
        )
        for number in numbers
    ]


STUDY = [*listed("1", 1, 2), *listed("2", 1, 2)]


def test_a_study_of_which_nothing_is_here_is_asked_for_as_a_whole() -> None:
    assert wanted("S", STUDY, set()).parts == (Part("S"),)


def test_a_study_that_is_here_is_not_asked_for() -> None:
    found = wanted("S", STUDY, {item.sop_instance_uid for item in STUDY})
    assert (found.missing, found.parts) == ((), ())


def test_of_a_study_that_came_in_part_only_the_rest_is_asked_for() -> None:
    found = wanted("S", STUDY, {"1.1"})
    assert found.parts == (Part("S", "1", ("1.2",)), Part("S", "2"))
    assert [item.sop_instance_uid for item in found.missing] == ["1.2", "2.1", "2.2"]


def test_many_instances_are_asked_for_in_several_requests() -> None:
    many = listed("1", *range(251))
    sizes = [len(part.sop_instance_uids) for part in wanted("S", many, {"1.0"}).parts]
    assert sizes == [100, 100, 50]


def test_where_nothing_is_listed_the_study_is_asked_for() -> None:
    found = wanted("S", [], {"1.1"})
    assert (found.missing, found.parts) == ((), (Part("S"),))


def test_classes_are_proposed_only_where_all_are_known() -> None:
    assert wanted("S", STUDY, set()).sop_class_uids == ("1.1",)
    unknown = FoundInstance(series_instance_uid="3", sop_instance_uid="3.1", sop_class_uid="")
    assert wanted("S", [*STUDY, unknown], set()).sop_class_uids == ()


def test_the_request_names_its_level() -> None:
    study, series, image = Part("S"), Part("S", "1"), Part("S", "1", ("1.1", "1.2"))
    levels = [part.identifier().QueryRetrieveLevel for part in (study, series, image)]
    assert levels == ["STUDY", "SERIES", "IMAGE"]
    assert list(image.identifier().SOPInstanceUID) == ["1.1", "1.2"]
