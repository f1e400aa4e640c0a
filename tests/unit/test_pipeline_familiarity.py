"""Loops unlike the training's are left out, noted or not looked for, as the setting says."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.work.feature_codec import decode_features, encode_features
from inference.bundle.familiarity import PICTURE
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import Network
from inference.bundle.untrained import make_untrained
from inference.bundle.writing import write_bundle
from inference.errors import BundleError
from inference.exclusions import NO_ESTIMATE, UNFAMILIAR
from inference.models.device import choose_device
from inference.pipeline import Pipeline, load_pipeline
from inference.types import Case, Encoded, Findings, Selected
from inference.ultrasound import appearance
from tests.unit.bundles import SMALL, description, network
from tests.unit.echo_exams import write_loop
from tests.unit.familiar import fitted

LOOPS = 8
NAME = "echo_haemodynamics"
TARGETS = ("mPAP", "PVR", "PAWP")
#: An array of features that lies far from all of training.
FAR = 40.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was trained on just the loops of the exam."""
    folder = tmp_path_factory.mktemp("familiarity")
    spec = Network(prefix="all", architecture=SMALL, targets=TARGETS)
    made = network(3)
    write_bundle(folder / "plain", description((spec,)), {"all": made})
    case = prepared(load_pipeline(NAME, folder / "plain", "cpu"), files(folder))
    features = np.stack([named(loop, "all.feature") for loop in case])
    pictures = [np.load(folder / f"{number}.npy") for number in range(LOOPS)]
    seen = {"all": features, PICTURE: np.stack([appearance.appearance(each) for each in pictures])}
    write_bundle(folder / "bundle", description((spec,)), {"all": made}, fitted(seen))
    make_untrained(folder / "untrained", architecture=SMALL)
    return folder


@pytest.fixture(scope="module")
def case(folder: Path) -> list[Encoded]:
    return prepared(load_pipeline(NAME, folder / "bundle", "cpu"), files(folder))


def files(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.dcm" for number in range(LOOPS)]
    return [path if path.exists() else write_loop(folder, n) for n, path in enumerate(paths)]


def prepared(pipeline: Pipeline, paths: Sequence[Path]) -> list[Encoded]:
    """What the node makes of instances as they arrive."""
    case = []
    for path in paths:
        selected = pipeline.select(dcmread(path, stop_before_pixels=True))
        assert isinstance(selected, Selected)
        loop = pipeline.look(path, selected)
        np.save(path.with_suffix(".npy"), loop.frames)
        case.append(Encoded(selected.instance, *pipeline.encode([loop])))
    return case


def named(loop: Encoded, end: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    [array] = [array for name, array in loop.features.arrays.items() if name.endswith(end)]
    return array


def strange(case: Sequence[Encoded], count: int, space: str = "all") -> list[Encoded]:
    """The case with its first loops far from training in one space."""
    changed = []
    for loop in case[:count]:
        arrays = {
            name: (array + np.float32(FAR) if name.endswith(f"{space}.feature") else array)
            for name, array in loop.features.arrays.items()
        }
        changed.append(replace(loop, features=replace(loop.features, arrays=arrays)))
    return [*changed, *case[count:]]


def concluded(folder: Path, case: Sequence[Encoded], unfamiliar: str = "exclude") -> Findings:
    return load_pipeline(NAME, folder / "bundle", "cpu", unfamiliar=unfamiliar).conclude(
        Case(case), ()
    )


def test_a_known_exam_is_estimated_and_said_to_be_known(folder: Path, case: list[Encoded]) -> None:
    found = concluded(folder, case)
    assert found.measurements
    assert not found.exclusions
    assert not found.cautions
    assert found.familiarity is not None
    assert (found.familiarity.familiar, found.familiarity.judged) == (LOOPS, LOOPS)
    assert found.familiarity.farthest <= 1
    assert any("distance" in parameter for parameter in found.model.parameters)


def test_stored_features_are_judged_as_they_were_made(folder: Path, case: list[Encoded]) -> None:
    stored = [
        replace(loop, features=decode_features(encode_features(loop.features)))
        for loop in strange(case, 2)
    ]
    assert concluded(folder, stored) == concluded(folder, strange(case, 2))


@pytest.mark.parametrize("space", ["all", PICTURE])
def test_strange_loops_are_left_out_and_the_rest_gives_the_estimate(
    folder: Path, case: list[Encoded], space: str
) -> None:
    found = concluded(folder, strange(case, 2, space))
    assert [item.reason for item in found.exclusions] == [UNFAMILIAR] * 2
    assert {item.instance for item in found.exclusions} == {loop.instance for loop in case[:2]}
    assert all("times the limit" in item.detail for item in found.exclusions)
    assert found.familiarity is not None
    assert (found.familiarity.familiar, found.familiarity.judged) == (LOOPS - 2, LOOPS)
    assert found.familiarity.farthest > 1
    rest = concluded(folder, case[2:])
    assert found.measurements == rest.measurements
    assert found.evidence == rest.evidence


@pytest.mark.parametrize(
    ("count", "why"),
    [
        (5, "only 3 of 8 loops resemble what the model was trained on"),
        (7, "only 1 of 8 loops resembles what the model was trained on"),
        (8, "none of the 8 loops resembles what the model was trained on"),
    ],
)
def test_an_exam_with_too_few_known_loops_abstains(
    folder: Path, case: list[Encoded], count: int, why: str
) -> None:
    found = concluded(folder, strange(case, count))
    assert found.abstention == f"{why}."
    assert not found.measurements
    reasons = [item.reason for item in found.exclusions]
    assert reasons.count(UNFAMILIAR) == count
    assert reasons.count(NO_ESTIMATE) == LOOPS - count
    uids = [item.instance.sop_instance_uid for item in found.exclusions]
    assert uids == sorted(uids)
    assert found.familiarity is not None
    assert found.familiarity.familiar == LOOPS - count


def test_loops_that_together_lie_too_far_are_said_to(folder: Path, case: list[Encoded]) -> None:
    found = concluded(folder, strange(case, 4))
    assert found.abstention == (
        "the loops together are too unlike what the model was trained on "
        "(4 of 8 resemble it one by one)."
    )
    [caution] = concluded(folder, strange(case, 4), "note").cautions
    assert caution.endswith("the estimate may be wrong.")


def test_the_only_loop_is_named_so(folder: Path, case: list[Encoded]) -> None:
    found = concluded(folder, strange(case[:1], 1))
    assert found.abstention == "the only loop is unlike anything the model was trained on."


def test_with_a_note_they_are_used_and_warned_of(folder: Path, case: list[Encoded]) -> None:
    changed = strange(case, 5)
    found, off = concluded(folder, changed, "note"), concluded(folder, changed, "off")
    assert found.measurements == off.measurements
    [caution] = found.cautions
    assert caution.startswith("5 of 8 loops are unlike anything the model was trained on")
    noted = [item for item in found.evidence if any(UNFAMILIAR.meaning in n for n in item.notes)]
    assert {item.instance for item in noted} == {loop.instance for loop in case[:5]}


def test_off_says_that_nobody_looked(folder: Path, case: list[Encoded]) -> None:
    found = concluded(folder, strange(case, 8), "off")
    assert found.measurements
    assert found.familiarity is None
    assert any("not judged" in limitation for limitation in found.limitations)
    assert "resemblance to the training loops is not judged" in found.model.parameters


@pytest.mark.parametrize("unfamiliar", ["exclude", "note"])
def test_the_order_of_arrival_changes_nothing(
    folder: Path, case: list[Encoded], unfamiliar: str
) -> None:
    for count in (0, 3, 6):
        changed = strange(case, count)
        straight = concluded(folder, changed, unfamiliar)
        assert straight == concluded(folder, changed[::-1], unfamiliar)


def test_a_bundle_that_cannot_tell_says_so(folder: Path, case: list[Encoded]) -> None:
    pipeline = load_pipeline(NAME, folder / "plain", "cpu")
    found = pipeline.conclude(Case(prepared(pipeline, files(folder)[:2])), ())
    assert found.measurements
    assert found.familiarity is None
    assert any("cannot be judged" in limitation for limitation in found.limitations)
    untrained = load_pipeline(NAME, folder / "untrained", "cpu")
    found = untrained.conclude(Case(prepared(untrained, files(folder)[:2])), ())
    assert found.familiarity is None
    assert not any("be judged" in limitation for limitation in found.limitations)


def test_bfloat16_moves_no_distance_by_more_than_the_slack(
    folder: Path, case: list[Encoded]
) -> None:
    judge = load_bundle(folder / "bundle", choose_device("cpu")).familiarity
    assert judge is not None
    rough = prepared(load_pipeline(NAME, folder / "bundle", "cpu", "bf16"), files(folder))
    exact, near = (
        judge.distances(
            {
                name: np.stack([named(loop, f"{name}.feature") for loop in loops])
                for name in ("all", PICTURE)
            }
        )
        for loops in (case, rough)
    )
    assert np.abs(near / exact - 1).max() < judge.limits.slack


def test_features_without_the_picture_are_made_again(folder: Path, case: list[Encoded]) -> None:
    arrays = {
        name: array
        for name, array in case[0].features.arrays.items()
        if not name.endswith(f"{PICTURE}.feature")
    }
    bare = replace(case[0], features=replace(case[0].features, arrays=arrays))
    with pytest.raises(BundleError, match="prepare the study again"):
        concluded(folder, [bare])
