"""What is in the objects that answer a study."""

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
)

from dicom_node.report import (
    KINDS,
    BuiltObject,
    DocumentRef,
    Predecessor,
    ReportError,
    StudyContext,
    build,
)
from inference.types import Code, Findings, Presence, Standing
from storage.states import ResultKind
from tests.report_cases import (
    ECG,
    IDENTITY,
    MADE_AT,
    US_MULTIFRAME,
    US_MULTIFRAME_RETIRED,
    US_STILL,
    abstention,
    estimate,
    exclusions,
    instance,
    loops,
    study,
)


def built(
    findings: Findings,
    context: StudyContext | None = None,
    predecessor: Predecessor | None = None,
    kinds: Collection[ResultKind] = KINDS,
) -> tuple[BuiltObject, ...]:
    return build(
        findings,
        context or study(),
        identity=IDENTITY,
        made_at=MADE_AT,
        predecessor=predecessor,
        kinds=kinds,
    )


def read(item: BuiltObject) -> Dataset:
    return dcmread(BytesIO(item.data))


def report_of(findings: Findings) -> Dataset:
    return read(built(findings, kinds=("SR",))[0])


def items(dataset: Dataset) -> Iterator[Dataset]:
    """Every content item below the root."""
    for item in dataset.get("ContentSequence", []):
        yield item
        yield from items(item)


def named(dataset: Dataset, code_value: str) -> list[Dataset]:
    return [
        item
        for item in items(dataset)
        if "ConceptNameCodeSequence" in item
        and item.ConceptNameCodeSequence[0].get("CodeValue") == code_value
    ]


def comments(dataset: Dataset) -> list[str]:
    return [item.TextValue for item in named(dataset, "121106")]


def summary(dataset: Dataset) -> list[str]:
    """The lines of the summary, which is the first item that a reader sees."""
    (item,) = named(dataset, "121111")
    return str(item.TextValue).splitlines()


def references(dataset: Dataset) -> list[tuple[str, str]]:
    return [
        (item.ValueType, item.ReferencedSOPSequence[0].ReferencedSOPClassUID)
        for item in items(dataset)
        if "ReferencedSOPSequence" in item
    ]


class TestObjects:
    def test_an_estimate_is_an_sr_in_four_classes_a_picture_a_page_and_key_objects(self) -> None:
        kinds = [(item.kind, item.preference, item.sop_class_uid) for item in built(estimate())]

        assert kinds == [
            ("SR", 0, Comprehensive3DSRStorage),
            ("SR", 1, ComprehensiveSRStorage),
            ("SR", 2, EnhancedSRStorage),
            ("SR", 3, BasicTextSRStorage),
            ("SC", 0, SecondaryCaptureImageStorage),
            ("PDF", 0, EncapsulatedPDFStorage),
            ("KOS", 0, KeyObjectSelectionDocumentStorage),
        ]

    def test_an_abstention_has_no_key_objects(self) -> None:
        assert {item.kind for item in built(abstention())} == {"SR", "SC", "PDF"}

    def test_only_the_kinds_that_are_asked_for_are_made(self) -> None:
        made = build(estimate(), study(), identity=IDENTITY, made_at=MADE_AT, kinds=("KOS", "PDF"))

        assert [item.kind for item in made] == ["PDF", "KOS"]

    def test_the_same_input_gives_the_same_bytes_at_another_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = built(estimate())
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 86_400)

        assert built(estimate()) == first

    def test_each_object_has_its_own_uid_and_series(self) -> None:
        made = built(estimate())

        assert len({item.sop_instance_uid for item in made}) == len(made)
        assert len({item.series_instance_uid for item in made}) == len(made)
        assert all(item.sop_instance_uid.startswith("2.25.") for item in made)

    @pytest.mark.parametrize("what", ["revision", "input", "study", "bundle", "version"])
    def test_another_revision_study_or_model_has_other_uids(self, what: str) -> None:
        findings, context = estimate(), study()
        match what:
            case "revision":
                context = study(revision=2)
            case "input":
                context = study(input_digest="5e1f")
            case "study":
                context = study(study_instance_uid="1.2.826.0.1.3680043.8.498.2")
            case "bundle":
                findings = replace(findings, model=replace(findings.model, bundle_digest="00"))
            case "version":
                findings = replace(findings, model=replace(findings.model, version="2"))

        before = {item.sop_instance_uid for item in built(estimate())}
        after = {item.sop_instance_uid for item in built(findings, context)}

        assert not before & after

    def test_the_three_srs_with_numbers_have_the_same_tree(self) -> None:
        first, second, third = (read(item) for item in built(estimate())[:3])

        assert first.ContentSequence == second.ContentSequence == third.ContentSequence

    def test_no_object_is_sent_that_does_not_pass_our_own_check(self) -> None:
        findings = estimate(excluded=())
        nowhere = replace(findings.evidence[0].instance, series_instance_uid="")
        broken = replace(findings, evidence=(replace(findings.evidence[0], instance=nowhere),))

        with pytest.raises(ReportError, match="SR: SeriesInstanceUID is not a UID"):
            built(broken)


class TestEstimate:
    def test_each_value_has_unit_limit_authority_and_an_interval_that_may_be_lopsided(
        self,
    ) -> None:
        (mpap,) = named(report_of(estimate()), "8414-5")

        measured = mpap.MeasuredValueSequence[0]
        assert str(measured.NumericValue) == "38"
        assert measured.MeasurementUnitsCodeSequence[0].CodeValue == "mm[Hg]"
        equivalent = mpap.ConceptNameCodeSequence[0].EquivalentCodeSequence[0]
        assert equivalent.CodeValue == "250770003"
        properties = {
            child.ConceptNameCodeSequence[0].CodeValue: child for child in mpap.ContentSequence
        }
        above = properties["371886008"].MeasuredValueSequence[0]
        below = properties["371885007"].MeasuredValueSequence[0]
        assert (str(above.NumericValue), str(below.NumericValue)) == ("8.9", "6.6")
        assert above.MeasurementUnitsCodeSequence[0].CodeValue == "mm[Hg]"
        assert properties["371933006"].MeasuredValueSequence[0].NumericValue == 20
        assert properties["121408"].TextValue == "2022 ESC/ERS Guidelines"
        assert properties["121402"].ConceptCodeSequence[0].CodeMeaning == "Abnormally High"

    def test_the_coverage_of_the_intervals_is_said(self) -> None:
        report = report_of(estimate())

        assert any("mPAP 38 mmHg, 90 % interval 31 to 47" in line for line in summary(report))
        assert any("in 90 % of patients" in line for line in comments(report))

    def test_without_calibration_there_is_no_interval_and_no_certainty(self) -> None:
        report = report_of(estimate(calibrated=False, presence=Presence.UNDETERMINED))

        for absent in ("371886008", "371885007", "111012"):
            assert not named(report, absent)
        assert any("no interval" in line for line in summary(report))

    def test_an_untrained_model_judges_nothing_normal(self) -> None:
        findings = estimate(
            standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED
        )

        report = report_of(findings)

        assert not named(report, "121402")
        verdicts = {item.ConceptCodeSequence[0].CodeValue for item in named(report, "70995007")}
        assert verdicts == {"373068000"}

    @pytest.mark.parametrize("standing", list(Standing))
    def test_the_standing_of_the_model_is_in_plain_sight(self, standing: Standing) -> None:
        findings = estimate(standing=standing)

        made = {item.kind: read(item) for item in reversed(built(findings))}
        report = made["SR"]

        for dataset in made.values():
            assert dataset.SeriesDescription.startswith(standing.value)
            assert len(dataset.SeriesDescription) <= 64
        assert summary(report)[0] == findings.model.warning
        parameters = [item.TextValue for item in named(report, "111002")]
        assert findings.model.warning in parameters

    def test_a_condition_is_never_written_as_a_finding(self) -> None:
        findings = {
            item.ConceptCodeSequence[0].CodeValue for item in named(report_of(estimate()), "121071")
        }

        assert findings == {"44324008"}

    @pytest.mark.parametrize("count", [1, 5])
    def test_a_relevant_loop_has_its_weight_its_effects_and_the_frames_looked_at(
        self, count: int
    ) -> None:
        findings = estimate(count)
        evidence = tuple(replace(loop, relevant=True) for loop in findings.evidence)
        report = report_of(replace(findings, evidence=evidence))

        weights = named(report, "ATTENTION-WEIGHT")
        assert len(weights) == count
        shares = [float(item.MeasuredValueSequence[0].NumericValue) for item in weights]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=0.01)
        assert len(named(report, "LEFT-OUT-MPAP")) == count
        relevant = [
            item.ConceptCodeSequence[0].CodeMeaning for item in named(report, "LOOP-RELEVANT")
        ]
        assert relevant[0] == "Yes"
        source = named(report, "121112")[-1].ReferencedSOPSequence[0]
        assert list(source.ReferencedFrameNumber) == list(range(3, 23, 2))

    def test_every_number_has_a_child_since_ohif_needs_one(self) -> None:
        groups = named(report_of(estimate()), "125007")

        for group in groups:
            numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
            assert numbers
            assert all("ContentSequence" in number for number in numbers)

    def test_the_processing_equipment_is_the_model_and_nothing_else(self) -> None:
        report = report_of(estimate())

        (equipment,) = report.ContributingEquipmentSequence
        assert equipment.DeviceUID == named(report, "121012")[0].UID
        assert equipment.ManufacturerModelName == named(report, "121015")[0].TextValue
        assert equipment.ManufacturerModelName == named(report, "111001")[0].TextValue
        assert equipment.SoftwareVersions == named(report, "111003")[0].TextValue


class TestInTenSeconds:
    def test_the_summary_is_the_first_thing_that_is_no_context(self) -> None:
        first = next(
            item
            for item in report_of(estimate()).ContentSequence
            if item.RelationshipType == "CONTAINS"
        )

        assert first.ConceptNameCodeSequence[0].CodeMeaning == "Summary"
        assert first.TextValue.splitlines()[:3] == [
            "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
            "Made by artificial intelligence, not verified by a physician.",
            (
                "mPAP 38 mmHg, 90 % interval 31 to 47; "
                "upper limit of normal 20 mmHg (2022 ESC/ERS Guidelines)."
            ),
        ]

    def test_the_image_library_has_a_line_for_each_image_that_was_analysed_and_no_other(
        self,
    ) -> None:
        findings = estimate(5)

        (group,) = named(report_of(findings), "126200")

        lines = [item for item in group.ContentSequence if item.ValueType == "IMAGE"]
        assert [len(line.ContentSequence) for line in lines] == [1] * 5
        assert lines[0].ContentSequence[0].TextValue == "instance 1 (A4C), weight 0.50"
        assert (
            lines[1]
            .ContentSequence[0]
            .TextValue.endswith("; no R wave found: frames spread over the whole loop")
        )

    @pytest.mark.parametrize(("relevant", "told"), [(0, 3), (1, 3), (5, 5), (20, 12)])
    def test_only_relevant_loops_are_told_more_of_but_three_at_least(
        self, relevant: int, told: int
    ) -> None:
        evidence = tuple(
            replace(loop, relevant=index < relevant) for index, loop in enumerate(loops(20))
        )

        report = report_of(replace(estimate(), evidence=evidence))

        assert len(named(report, "ATTENTION-WEIGHT")) == told

    def test_the_algorithm_is_identified_once(self) -> None:
        for code_value in ("111001", "111003", "122405", "111000"):
            assert len(named(report_of(estimate()), code_value)) == 1

    @pytest.mark.parametrize("relevant", [False, True])
    def test_an_exam_of_120_loops_stays_small(self, relevant: bool) -> None:
        findings = estimate(120)
        evidence = tuple(replace(loop, relevant=relevant) for loop in findings.evidence)
        stills = tuple(replace(exclusions()[0], instance=instance(300 + n)) for n in range(40))

        made = built(replace(findings, evidence=evidence, exclusions=stills), kinds=("SR",))

        assert max(len(item.data) for item in made) < 150_000

    @pytest.mark.parametrize(
        ("findings", "word"), [(estimate(1), "unverified"), (abstention(), "no estimate")]
    )
    def test_a_list_of_series_tells_a_report_without_an_estimate(
        self, findings: Findings, word: str
    ) -> None:
        for item in built(findings):
            if item.kind != "KOS":
                assert word in read(item).SeriesDescription


class TestProcedure:
    ECHO = Code("433236007", "SCT", "Transthoracic echocardiography")

    def test_it_is_the_one_that_the_source_names(self) -> None:
        report = read(built(estimate(1), study(procedures=(self.ECHO,)), kinds=("SR",))[0])

        (reported,) = named(report, "121058")
        assert reported.ConceptCodeSequence[0].CodeValue == self.ECHO.value
        assert report.PerformedProcedureCodeSequence[0].CodeValue == self.ECHO.value

    @pytest.mark.parametrize(
        ("findings", "meaning"),
        [(estimate(1), "Diagnostic ultrasonography"), (abstention(()), "Imaging procedure")],
    )
    def test_where_the_source_names_none_no_examination_of_the_heart_is_claimed(
        self, findings: Findings, meaning: str
    ) -> None:
        for item in built(findings, kinds=("SR",)):
            report = read(item)
            assert not report.PerformedProcedureCodeSequence
            reported = named(report, "121058")
            assert [each.ConceptCodeSequence[0].CodeMeaning for each in reported] in ([], [meaning])
            assert "ransthoracic" not in str(report)


class TestOtherInstances:
    def test_every_instance_of_the_study_is_evidence(self) -> None:
        findings = estimate()

        report = report_of(findings)

        listed = {
            reference.ReferencedSOPInstanceUID
            for series in report.CurrentRequestedProcedureEvidenceSequence[
                0
            ].ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }
        everything = [*findings.evidence, *findings.exclusions]
        assert listed == {item.instance.sop_instance_uid for item in everything}

    def test_what_is_no_image_is_told_in_words(self) -> None:
        report = report_of(abstention())

        assert {uid for _, uid in references(report)} == {US_STILL, US_MULTIFRAME}
        (others,) = named(report, "EXCL-CLASS")
        told = [item.TextValue for item in others.ContentSequence]
        assert told == [
            "1 x 12-lead ECG: ECG, instance 204",
            "1 x report of the cart: SR, instance 205",
            "1 x document: DOC, instance 206",
            "1 x unknown class: US, instance without number",
        ]

    def test_no_image_item_ever_points_at_something_else(self) -> None:
        """What an estimate rests on may be no image: then words name it, and the evidence."""
        first, second = loops(2)
        waveform = replace(second, instance=instance(2, ECG), noun="ECG")

        report = report_of(replace(estimate(), evidence=(first, waveform), exclusions=()))

        assert ("IMAGE", ECG) not in references(report)
        labels = [str(item.TextValue) for item in named(report, "112039")]
        assert "ECG 2 of 2: instance 2" in labels
        [study_item] = report.CurrentRequestedProcedureEvidenceSequence
        classes = {
            str(reference.ReferencedSOPClassUID)
            for series in study_item.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }
        assert ECG in classes

    def test_the_retired_ultrasound_class_is_an_image(self) -> None:
        findings = replace(estimate(), evidence=loops(3, sop_class_uid=US_MULTIFRAME_RETIRED))

        report = report_of(findings)

        assert ("IMAGE", US_MULTIFRAME_RETIRED) in references(report)
        source = named(report, "121112")[0].ReferencedSOPSequence[0]
        assert "ReferencedFrameNumber" not in source, "dciodvfy takes it for single-frame"

    def test_what_was_not_analysed_comes_last_by_reason_the_most_frequent_first(self) -> None:
        *_, last = report_of(estimate()).ContentSequence

        assert last.ConceptNameCodeSequence[0].CodeMeaning == "Not analysed"
        reasons = [item.ConceptNameCodeSequence[0].CodeValue for item in last.ContentSequence]
        assert reasons == ["EXCL-CLASS", "EXCL-STILL", "EXCL-COLOUR"]
        stills = last.ContentSequence[1].ContentSequence
        assert stills[0].TextValue == "2 x one frame only: instance 201; instance 202"
        pointed_at = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in stills[1:]]
        assert pointed_at == [item.instance.sop_instance_uid for item in exclusions()[:2]]


class TestAbstention:
    def test_it_says_that_no_estimate_was_made_and_that_this_is_not_normal(self) -> None:
        report = report_of(abstention())

        assert named(report, "ESTIMATE-STATUS")
        assert summary(report) == [
            "RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS",
            "Made by artificial intelligence, not verified by a physician.",
            "No estimate was made: no instance of the study is a usable B-mode cine loop.",
            "No estimate does not mean a normal result.",
            (
                "Not analysed: 4 x Not an ultrasound image, 2 x Not a cine loop, "
                "1 x Colour flow or Doppler data."
            ),
        ]

    def test_it_names_the_algorithm_that_made_none(self) -> None:
        report = report_of(abstention())

        assert [item.TextValue for item in named(report, "111001")] == ["echo_haemodynamics"]
        assert [item.TextValue for item in named(report, "111003")] == ["1.0.0"]

    @pytest.mark.parametrize("findings", [abstention(()), estimate(1)])
    def test_the_containers_that_readers_look_for_are_always_there(
        self, findings: Findings
    ) -> None:
        report = report_of(findings)

        for code_value in ("111028", "126010"):
            (item,) = named(report, code_value)
            assert item.ValueType == "CONTAINER"
            assert ("ContentSequence" in item) == bool(findings.measurements)

    def test_it_has_no_number_at_all(self) -> None:
        assert not [item for item in items(report_of(abstention())) if item.ValueType == "NUM"]

    def test_a_study_without_a_single_other_instance_still_gets_its_report(self) -> None:
        report = report_of(abstention(()))

        assert "CurrentRequestedProcedureEvidenceSequence" not in report
        assert named(report, "ESTIMATE-STATUS")


class TestRevision:
    PREDECESSOR = Predecessor(
        revision=1,
        documents=tuple(
            DocumentRef(uid, f"2.25.{index}", f"2.25.10{index}")
            for index, uid in enumerate(
                (Comprehensive3DSRStorage, ComprehensiveSRStorage, EncapsulatedPDFStorage), 1
            )
        ),
    )

    def test_each_sr_names_the_earlier_one_of_its_class(self) -> None:
        made = built(estimate(), study(revision=2), self.PREDECESSOR)

        best, fallback, last = (read(item) for item in made[:3])
        (page,) = (read(item) for item in made if item.kind == "PDF")

        assert replaced(best) == "2.25.1"
        assert replaced(fallback) == "2.25.2"
        assert replaced(page) == "2.25.3"
        assert "PredecessorDocumentsSequence" not in last
        assert "This report replaces revision 1 of the same study." in comments(best)


def replaced(report: Dataset) -> str:
    series = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    return str(series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


class TestKeyObjects:
    def test_they_are_the_relevant_loops_best_first_and_at_most_six(self) -> None:
        findings = estimate(30)

        key_objects = read(built(findings)[-1])

        chosen = [
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for item in key_objects.ContentSequence
            if item.ValueType == "IMAGE"
        ]
        assert chosen == [item.instance.sop_instance_uid for item in findings.evidence[:6]]
        assert key_objects.ConceptNameCodeSequence[0].CodeValue == "113000"
        (description,) = named(key_objects, "113012")
        assert "instance 1 (A4C): weight 0." in description.TextValue

    def test_where_no_loop_is_relevant_they_are_the_best_three(self) -> None:
        evidence = tuple(replace(item, relevant=False) for item in loops(5))

        key_objects = read(built(replace(estimate(), evidence=evidence))[-1])

        images = [item for item in key_objects.ContentSequence if item.ValueType == "IMAGE"]
        assert len(images) == 3


class TestPicture:
    @pytest.mark.parametrize("findings", [estimate(), estimate(1), abstention(), abstention(())])
    def test_it_is_one_rgb_image(self, findings: Findings) -> None:
        picture = next(read(item) for item in built(findings) if item.kind == "SC")

        assert picture.pixel_array.shape == (960, 1280, 3)
        assert picture.PhotometricInterpretation == "RGB"

    def test_the_patient_does_not_change_its_pixels(self) -> None:
        someone = next(read(item) for item in built(estimate()) if item.kind == "SC")
        other = study(patient_name="Other^One", patient_id="X", accession_number="Y")
        someone_else = next(read(item) for item in built(estimate(), other) if item.kind == "SC")

        assert someone.PixelData == someone_else.PixelData

    def test_a_loop_without_a_preview_is_still_listed(self) -> None:
        evidence = tuple(replace(item, preview=None) for item in loops(2))

        assert built(replace(estimate(), evidence=evidence))


def test_the_host_time_zone_is_used_where_the_source_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, "TZ", "Asia/Tokyo")
    time.tzset()
    try:
        report = report_of(estimate(1))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert report.ContentTime == (MADE_AT + timedelta(hours=9)).strftime("%H%M%S")
    assert "TimezoneOffsetFromUTC" not in report
