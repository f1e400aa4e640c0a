"""An exam in, findings out: echo_haemodynamics from files to verdicts."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import Dataset, dcmread
from safetensors.torch import load_file

from inference.bundle.loading import WEIGHTS_FILE
from inference.bundle.manifest import LoopPreprocessing, Network, Withheld
from inference.bundle.untrained import make_untrained
from inference.bundle.writing import write_bundle
from inference.errors import (
    BundleError,
    InferenceError,
    InstanceExcludedError,
    InstanceUnreadableError,
)
from inference.pipeline import Pipeline, load_pipeline
from inference.pipelines.decision import UNTRAINED
from inference.population import AGE_UNKNOWN, UNDER_18
from inference.types import (
    Case,
    Code,
    Encoded,
    Exclusion,
    Features,
    Findings,
    InstanceRef,
    Normality,
    Presence,
    Rejected,
    Selected,
    Standing,
)
from inference.ultrasound.acquisition import REASONS
from inference.ultrasound.profile import Profile
from inference.ultrasound.rules import NOT_ULTRASOUND
from inference.ultrasound.subject import NOT_CARDIAC
from tests.unit.bundles import MPAP, SMALL, description, ensemble, network, three_headed
from tests.unit.echo_exams import US_MULTIFRAME, write_loop
from tests.unit.test_bundle_loading import edit_manifest, replace_weights

LOOPS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("haemodynamics")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    three_headed(folder / "bundle")
    return load_pipeline("echo_haemodynamics", folder / "bundle", "cpu")


@pytest.fixture(scope="module")
def files(folder: Path) -> list[Path]:
    (folder / "exam").mkdir()
    return [write_loop(folder / "exam", number) for number in range(LOOPS)]


@pytest.fixture(scope="module")
def case(pipeline: Pipeline, files: list[Path]) -> list[Encoded]:
    return [encode(pipeline, file) for file in files]


def encode(pipeline: Pipeline, file: Path) -> Encoded:
    """What the node does with one instance as it arrives."""
    selected = pipeline.select(dcmread(file, stop_before_pixels=True))
    assert isinstance(selected, Selected)
    return Encoded(selected.instance, *pipeline.encode([pipeline.look(file, selected)]))


def values(findings: Findings) -> dict[str, float]:
    return {measurement.name: measurement.value for measurement in findings.measurements}


def test_an_exam_of_twelve_loops_gives_three_estimates(
    pipeline: Pipeline, case: list[Encoded]
) -> None:
    findings = pipeline.conclude(Case(case), [])
    assert list(values(findings)) == ["mPAP", "PVR", "PAWP"]
    assert [m.concept.value for m in findings.measurements] == ["8414-5", "276901002", "118433006"]
    assert [m.unit.value for m in findings.measurements] == ["mm[Hg]", "[wood'U]", "mm[Hg]"]
    assert [m.upper_limit for m in findings.measurements] == [20, 2, 15]
    assert {m.authority for m in findings.measurements} == {"2022 ESC/ERS Guidelines"}
    assert findings.abstention is None
    assert findings.model.standing is Standing.PHANTOM
    assert findings.limitations[0] == "Synthetic."


def test_intervals_come_from_the_bundle_and_stay_possible(
    pipeline: Pipeline, case: list[Encoded]
) -> None:
    mpap, pvr, pawp = pipeline.conclude(Case(case), []).measurements
    assert mpap.low == pytest.approx(mpap.value - 14)
    assert mpap.high == pytest.approx(mpap.value + 14)
    assert mpap.coverage == 0.9
    assert (pvr.low, pvr.high) == pvr.model_range  # the half-width is 40 WU
    assert pvr.beyond_range is (pvr.value == 0.3)
    assert (pawp.low, pawp.high, pawp.coverage) == (None, None, None)


def test_every_loop_is_evidence_ranked_by_weight(pipeline: Pipeline, case: list[Encoded]) -> None:
    evidence = pipeline.conclude(Case(case), []).evidence
    assert [item.rank for item in evidence] == list(range(1, LOOPS + 1))
    assert sorted(evidence, key=lambda item: -item.weight) == list(evidence)
    assert sum(item.weight for item in evidence) == pytest.approx(1)
    assert {item.instance.sop_instance_uid for item in evidence} == {
        loop.instance.sop_instance_uid for loop in case
    }
    # Score and weight say the same: a weight is the softmax of the scores.
    shares = np.exp([item.score for item in evidence])
    assert np.allclose(shares / shares.sum(), [item.weight for item in evidence])
    assert evidence[0].frames[0] == 3  # the R wave at 80 ms
    assert evidence[0].preview is not None
    assert any(item.relevant for item in evidence)
    assert not all(item.relevant for item in evidence)


def test_an_effect_is_the_change_without_the_loop(pipeline: Pipeline, case: list[Encoded]) -> None:
    findings = pipeline.conclude(Case(case), [])
    left_out = findings.evidence[0]
    rest = [loop for loop in case if loop.instance != left_out.instance]
    without = values(pipeline.conclude(Case(rest), []))
    for name, value in values(findings).items():
        assert left_out.effects[name] == pytest.approx(without[name] - value, abs=1e-4)


def test_the_order_of_arrival_changes_nothing(pipeline: Pipeline, case: list[Encoded]) -> None:
    shuffled = list(case)
    random.Random(0).shuffle(shuffled)
    assert pipeline.conclude(Case(shuffled), []) == pipeline.conclude(Case(case), [])


def test_the_same_file_gives_the_same_features(
    pipeline: Pipeline, files: list[Path], case: list[Encoded]
) -> None:
    again = encode(pipeline, files[0]).features.arrays
    for name, array in case[0].features.arrays.items():
        assert np.array_equal(array, again[name])
        assert array.dtype == np.float32
    assert sum(array.nbytes for array in again.values()) < 10_000


def test_verdicts_print_the_guideline_and_the_card_the_operating_point(
    pipeline: Pipeline, case: list[Encoded]
) -> None:
    findings = pipeline.conclude(Case(case), [])
    ph, precapillary = findings.assessments
    if ph.presence is not Presence.UNDETERMINED:
        assert (ph.presence is Presence.PRESENT) == (
            values(findings)["mPAP"] > MPAP.decision_threshold
        )
    assert ph.criterion == "mPAP > 20 mmHg (2022 ESC/ERS Guidelines)"
    assert "decision threshold mPAP 22.5 mm[Hg]" in findings.model.parameters
    assert findings.classification is not None
    assert ph.probability is not None
    assert 0.1 <= ph.probability <= 0.9
    assert precapillary.probability is None  # the bundle has no curve for it
    assert precapillary.criterion.startswith(
        "mPAP > 20 mmHg and PVR > 2 Wood units and PAWP <= 15 mmHg"
    )


def test_one_loop_is_enough(pipeline: Pipeline, case: list[Encoded]) -> None:
    findings = pipeline.conclude(Case(case[:1]), [])
    (only,) = findings.evidence
    assert (only.rank, only.weight, only.relevant, only.effects) == (1, 1.0, True, {})
    assert any("Only one loop" in limitation for limitation in findings.limitations)


def test_without_a_loop_it_abstains_with_every_reason(pipeline: Pipeline) -> None:
    instance = InstanceRef("1.2.840.10008.5.1.4.1.1.6.1", "2.25.3", "2.25.2")
    excluded = [
        Exclusion(instance, Code("X", "99ECHONODE", "a still"), "one frame"),
        Exclusion(instance, Code("Y", "99ECHONODE", "colour flow"), "a colour region"),
    ]
    findings = pipeline.conclude(Case([]), excluded)
    assert findings.abstention == (
        "none of the 2 instances of the study is a B-mode cine loop that can be analysed."
    )
    assert findings.exclusions == tuple(excluded)
    assert findings.measurements == findings.evidence == findings.assessments == ()
    assert findings.limitations[-1].startswith("Loops are selected by the profile paper;")
    assert "no instance" in str(pipeline.conclude(Case([]), []).abstention)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (UNDER_18, "the patient is under 18 years old; the model is for adults only."),
        (NOT_CARDIAC, "no loop was recognised as an adult heart."),
        (
            REASONS["at_rest"],
            "the study is a stress echocardiogram; the model is for examinations at rest.",
        ),
        (
            Code("STILL", "99ECHONODE", "Still picture"),
            (
                "none of the 3 instances of the study is a B-mode cine loop that can be analysed "
                "(all: Still picture)."
            ),
        ),
    ],
)
def test_an_abstention_names_the_reason_that_all_images_share(
    pipeline: Pipeline, code: Code, sentence: str
) -> None:
    image = InstanceRef("1.2.840.10008.5.1.4.1.1.6.1", "2.25.3", "2.25.2")
    report = Exclusion(image, NOT_ULTRASOUND, "SOP class of another kind of object")
    excluded = [Exclusion(image, code, "as its header says")] * 2
    assert pipeline.conclude(Case([]), [*excluded, report]).abstention == sentence


def test_an_unknown_age_is_a_limitation_of_the_study_and_no_note_of_every_loop(
    pipeline: Pipeline, case: list[Encoded], files: list[Path], tmp_path: Path
) -> None:
    findings = pipeline.conclude(Case(case), [])
    assert findings.limitations.count(AGE_UNKNOWN) == 1
    assert not any(AGE_UNKNOWN in item.notes for item in findings.evidence)
    known = dcmread(files[0])
    known.PatientAge = "070Y"
    known.save_as(tmp_path / "known.dcm", enforce_file_format=True)
    findings = pipeline.conclude(Case([encode(pipeline, tmp_path / "known.dcm")]), [])
    assert AGE_UNKNOWN not in findings.limitations


def test_loops_without_a_heartbeat_count_only_where_the_setting_allows_it(
    folder: Path, pipeline: Pipeline, files: list[Path], tmp_path: Path
) -> None:
    header = dcmread(files[0])
    header.RWaveTimeVector = [0.0, 10.0]
    path = tmp_path / "loop.dcm"
    header.save_as(path, enforce_file_format=True)
    with pytest.raises(InstanceExcludedError) as caught:
        encode(pipeline, path)
    assert caught.value.reason.value == "NO_HEARTBEAT"
    allowing = load_pipeline(
        "echo_haemodynamics", folder / "bundle", "cpu", without_heartbeat="note"
    )
    assert allowing.model.preparing != pipeline.model.preparing, "its loops are prepared again"
    findings = allowing.conclude(Case([encode(allowing, file) for file in (path, *files[1:3])]), [])
    assert (
        "In 1 of 3 loops no heartbeat could be determined; their frames are spread over the whole "
        "clip."
    ) in findings.limitations


def test_a_loop_without_a_picture_is_unreadable_and_the_rest_counts(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    with pytest.raises(InstanceUnreadableError):
        encode(pipeline, write_loop(tmp_path, 99, blank=True))


def test_it_reads_and_reports_ultrasound_only(pipeline: Pipeline) -> None:
    reads, anchors, reach_days = (
        pipeline.business.reads,
        pipeline.business.anchors,
        pipeline.business.reach_days,
    )
    assert {US_MULTIFRAME, "1.2.840.10008.5.1.4.1.1.3"} <= reads  # retired
    assert "1.2.840.10008.5.1.4.1.1.88.34" not in reads
    assert (anchors, reach_days) == (reads, 0)


def test_an_ensemble_is_the_mean_of_its_networks(folder: Path, files: list[Path]) -> None:
    ensemble(folder / "ensemble")
    together = load_pipeline("echo_haemodynamics", folder / "ensemble", "cpu")
    alone = []
    for seed in (0, 1):
        spec = Network(prefix="mpap", architecture=SMALL, targets=("mPAP",))
        path = folder / f"seed-{seed}"
        write_bundle(path, description((spec,)), {"mpap": network(1, seed)})
        single = load_pipeline("echo_haemodynamics", path, "cpu")
        alone.append(single.conclude(Case([encode(single, file) for file in files[:3]]), []))
    findings = together.conclude(Case([encode(together, file) for file in files[:3]]), [])
    assert values(findings)["mPAP"] == pytest.approx(
        np.mean([values(one)["mPAP"] for one in alone]), rel=1e-5
    )
    weights = {item.instance: item.weight for item in findings.evidence}
    singles = [{item.instance: item.weight for item in one.evidence} for one in alone]
    for instance, weight in weights.items():
        assert weight == pytest.approx(np.mean([one[instance] for one in singles]), rel=1e-5)
    # A bundle of mPAP alone says nothing about pre-capillary PH.
    assert [assessment.name for assessment in alone[0].assessments] == ["PH"]
    assert list(values(alone[0])) == ["mPAP"]


def test_an_untrained_bundle_decides_nothing(folder: Path, files: list[Path]) -> None:
    make_untrained(folder / "untrained", architecture=SMALL)
    untrained = load_pipeline("echo_haemodynamics", folder / "untrained", "cpu")
    findings = untrained.conclude(Case([encode(untrained, file) for file in files[:3]]), [])
    assert {assessment.presence for assessment in findings.assessments} == {Presence.UNDETERMINED}
    assert {assessment.probability for assessment in findings.assessments} == {None}
    assert {assessment.reason for assessment in findings.assessments} == {UNTRAINED}
    assert findings.classification is not None
    assert findings.classification.reason == UNTRAINED
    assert {findings.normality(item) for item in findings.measurements} == {Normality.UNJUDGED}
    assert findings.model.warning.startswith("UNTRAINED")
    assert [item.weight for item in findings.evidence] == pytest.approx([1 / 3] * 3)
    assert not any(item.relevant for item in findings.evidence)  # attention starts as the mean


def test_features_of_another_bundle_are_refused(
    folder: Path, pipeline: Pipeline, case: list[Encoded]
) -> None:
    three_headed(folder / "repacked", evaluation={})
    other = load_pipeline("echo_haemodynamics", folder / "repacked", "cpu")
    with pytest.raises(BundleError, match="prepare the study again"):
        other.conclude(Case(case), [])
    shortened = {name: array[:5] for name, array in case[0].features.arrays.items()}
    with pytest.raises(BundleError, match="prepare the study again"):
        pipeline.conclude(Case([replace(case[0], features=Features(shortened, ()))]), [])


def test_numbers_that_are_not_finite_never_become_findings(
    pipeline: Pipeline, case: list[Encoded]
) -> None:
    poisoned = {
        name: np.full_like(array, np.nan) for name, array in case[0].features.arrays.items()
    }
    with pytest.raises(InferenceError, match="not finite"):
        pipeline.conclude(Case([*case[1:], replace(case[0], features=Features(poisoned, ()))]), [])


@pytest.mark.parametrize(
    ("changes", "saying"),
    [
        ({"pipeline": "newborn"}, "for the pipeline 'newborn'"),
        ({"targets": (MPAP.model_copy(update={"unit": "kPa"}),)}, "mPAP in kPa"),
        ({"probabilities": {"stroke": {"kind": "logistic", "slope": 1.0, "intercept": 0.0}}}, "st"),
        (
            {"preprocessing": {"input": "loops", "frame_size_px": 64, "frames_per_loop": 16}},
            "16 frames per loop",
        ),
    ],
)
def test_a_bundle_made_for_something_else_is_refused(
    tmp_path: Path, changes: dict[str, object], saying: str
) -> None:
    spec = Network(prefix="mpap", architecture=SMALL, targets=("mPAP",))
    write_bundle(tmp_path / "bundle", description((spec,), **changes), {"mpap": network(1)})
    with pytest.raises(BundleError, match=saying):
        load_pipeline("echo_haemodynamics", tmp_path / "bundle", "cpu")


def test_without_mpap_the_first_target_that_is_left_ranks_the_loops(
    tmp_path: Path, files: list[Path]
) -> None:
    specs = tuple(
        Network(prefix=name.lower(), architecture=SMALL, targets=(name,))
        for name in ("PAWP", "PVR")
    )
    withheld = (Withheld(name="mPAP", reason="no signal"),)
    networks = {"pawp": network(1, seed=1), "pvr": network(1, seed=2)}
    described = description(specs, withheld=withheld, probabilities={})
    write_bundle(tmp_path / "bundle", described, networks)
    pipeline = load_pipeline("echo_haemodynamics", tmp_path / "bundle", "cpu")
    case = [encode(pipeline, file) for file in files[:4]]
    findings = pipeline.conclude(Case(case), [])
    assert list(values(findings)) == ["PVR", "PAWP"]
    assert findings.assessments == ()
    assert findings.classification is not None
    assert findings.classification.reason == "there is no estimate of mPAP"
    assert findings.limitations[0] == "mPAP withheld: no signal."
    (name,) = [key for key in case[0].features.arrays if "pvr" in key and "feature" in key]
    loops = torch.from_numpy(np.stack([each.features.arrays[name] for each in case]))
    weights = networks["pvr"].fuse(loops).loop_weight
    assert [item.weight for item in findings.evidence] == pytest.approx(
        sorted(weights.tolist(), reverse=True), abs=1e-5
    )


def test_a_target_is_either_held_or_withheld() -> None:
    spec = Network(prefix="pvr", architecture=SMALL, targets=("PVR",))
    with pytest.raises(ValueError, match="both held and withheld"):
        description((spec,), withheld=(Withheld(name="PVR", reason="x"),))


def test_a_device_that_is_not_here_is_named(folder: Path, pipeline: Pipeline) -> None:
    with pytest.raises(InferenceError, match="'cuda:7' is not here"):
        load_pipeline("echo_haemodynamics", folder / "bundle", "cuda:7")


@pytest.mark.long
def test_the_full_resnet50_runs_through_the_same_code(tmp_path: Path) -> None:
    make_untrained(tmp_path / "bundle")
    pipeline = load_pipeline("echo_haemodynamics", tmp_path / "bundle", "auto")
    case = [encode(pipeline, write_loop(tmp_path, number)) for number in range(2)]
    findings = pipeline.conclude(Case(case), [])
    assert values(findings)["mPAP"] == pytest.approx(36, abs=32)
    assert len(findings.evidence) == 2


def test_finite_weights_that_give_no_finite_numbers_are_refused_when_loaded(tmp_path: Path) -> None:
    """Also those of an earlier format, which holds no self-test."""
    three_headed(tmp_path / "bundle")
    tensors = load_file(tmp_path / "bundle" / WEIGHTS_FILE)
    for name, tensor in tensors.items():
        if name.startswith("all.encoder.") and name.endswith("weight"):
            tensor.mul_(1e30)
    replace_weights(tmp_path / "bundle", tensors)
    edit_manifest(
        tmp_path / "bundle", lambda document: document.update(format_version=3, self_test=None)
    )
    with pytest.raises(BundleError, match="no usable numbers"):
        load_pipeline("echo_haemodynamics", tmp_path / "bundle", "cpu")


def header_without_r_waves(file: Path) -> Dataset:
    header = dcmread(file, stop_before_pixels=True)
    del header.RWaveTimeVector
    return header


def test_the_narrowest_profile_that_is_given_selects(
    folder: Path, pipeline: Pipeline, files: list[Path]
) -> None:
    header = header_without_r_waves(files[0])
    assert isinstance(pipeline.select(header), Rejected)
    assert isinstance(pipeline.select(header, "vendor-neutral"), Selected)
    assert "selection profile paper" in pipeline.model.parameters
    asked = load_pipeline("echo_haemodynamics", folder / "bundle", "cpu", profile="vendor-neutral")
    assert isinstance(asked.select(header), Selected)
    assert isinstance(asked.select(header, "paper"), Rejected)
    assert "selection profile vendor-neutral" in asked.model.parameters
    assert asked.model.preparing != pipeline.model.preparing


def test_a_bundle_that_was_trained_with_a_profile_brings_it(
    tmp_path: Path, files: list[Path]
) -> None:
    trained_with = LoopPreprocessing(frame_size_px=64, selection=Profile.VENDOR_NEUTRAL)
    three_headed(tmp_path / "bundle", preprocessing=trained_with)
    header = header_without_r_waves(files[0])
    brought = load_pipeline("echo_haemodynamics", tmp_path / "bundle", "cpu")
    assert isinstance(brought.select(header), Selected)
    told = load_pipeline("echo_haemodynamics", tmp_path / "bundle", "cpu", profile="paper")
    assert isinstance(told.select(header), Rejected)


def test_findings_say_how_many_loops_another_profile_selected(
    pipeline: Pipeline, files: list[Path], case: list[Encoded], tmp_path: Path
) -> None:
    assert not any(
        "profile" in sentence for sentence in pipeline.conclude(Case(case), []).limitations
    )
    whole = dcmread(files[0])
    del whole.RWaveTimeVector
    whole.HeartRate = 75
    path = tmp_path / "loop.dcm"
    whole.save_as(path, enforce_file_format=True)
    selected = pipeline.select(dcmread(path, stop_before_pixels=True), "vendor-neutral")
    assert isinstance(selected, Selected)
    other = Encoded(selected.instance, *pipeline.encode([pipeline.look(path, selected)]))
    findings = pipeline.conclude(Case([other, *case[1:]]), [])
    assert any(
        sentence.startswith(f"1 of {LOOPS} loops were selected by the profile vendor-neutral")
        for sentence in findings.limitations
    )
    assert findings.cautions == (
        f"1 of {LOOPS} loops depart from the selection criteria of the training data.",
    )
    assert pipeline.conclude(Case(case), []).cautions == ()
    (evidence,) = [item for item in findings.evidence if item.instance == other.instance]
    assert "departs from the paper in essential_tags" in evidence.notes[0]
