"""What every pipeline promises the node: ours, and the stranger's in `tests/plugin`.

Whoever adds one adds its instances to `SUBJECTS`.
"""

import copy
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import UID

from dicom_node.work.feature_codec import decode_features, encode_features
from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference import registry
from inference.bundle.manifest import Population
from inference.errors import InstanceExcludedError, InstanceUnreadableError
from inference.exclusions import NO_ESTIMATE, UNUSED
from inference.phantom.ecg import write_form
from inference.phantom.ecg.forms import FormKind
from inference.phantom.film.storing import VARIANTS
from inference.pipeline import Pipeline, encode_with, load_pipeline
from inference.types import Case, Code, Encoded, Exclusion, Features, Findings, Rejected, Selected
from tests import plug_ins
from tests.integration.test_plug_in import PLUGIN, ecg, film
from tests.phantom_model import PHANTOM_BUNDLE
from tests.unit.ecg_bundles import ecg_bundle
from tests.unit.ecg_phantom import STUDY, drawn
from tests.unit.echo_exams import write_loop
from tests.unit.film_bundles import everything_is, film_bundle
from tests.unit.films import write_film

CHECKOUT = Path(__file__).resolve().parents[2]
#: A class that no pipeline reads: a spreadsheet of doses.
UNREAD = "1.2.840.10008.5.1.4.1.1.88.67"


@dataclass(frozen=True)
class Subject:
    """A loaded pipeline, and instances of one study that it selects."""

    pipeline: Pipeline
    bundle: Path
    files: Sequence[Path]

    def selected(self, file: Path) -> Selected:
        selection = self.pipeline.select(header_of(file))
        assert isinstance(selection, Selected)
        return selection

    def look(self, file: Path) -> Any:
        return self.pipeline.look(file, self.selected(file))

    def encode(self, looks: Sequence[Any]) -> list[Features]:
        return encode_with(self.pipeline, looks)

    def case(self) -> list[Encoded]:
        looks = [self.look(file) for file in self.files]
        instances = [self.selected(file).instance for file in self.files]
        return [Encoded(*pair) for pair in zip(instances, self.encode(looks), strict=True)]

    def conclude(self, case: Sequence[Encoded], exclusions: Sequence[Exclusion] = ()) -> Findings:
        return self.pipeline.conclude(Case(case), exclusions)


def echo_haemodynamics(folder: Path) -> Subject:
    files = [write_loop(folder, number) for number in range(4)]
    return Subject(
        load_pipeline("echo_haemodynamics", PHANTOM_BUNDLE, "cpu"), PHANTOM_BUNDLE, files
    )


def chest_and_beat(folder: Path) -> Subject:
    (folder / "toy.json").write_text('{"mild": 0.3, "severe": 0.7}')
    films = [film(folder / f"{number}.dcm", number, "PA") for number in range(3)]
    loaded = load_pipeline("chest_and_beat", folder)
    return Subject(loaded, folder, [*films, ecg(folder / "ecg.dcm")])


def cxr_ecg(folder: Path) -> Subject:
    bundle = folder / "bundle"
    film_bundle(bundle, everything_is("frontal"))
    films = [
        write_film(
            folder / f"{number}.dcm",
            storing,
            InstanceNumber=number,
            SOPInstanceUID=f"2.25.{number}",
        )
        for number, storing in enumerate(VARIANTS[:3], 1)
    ]
    recorded = folder / "recorded.dcm"
    write_form(recorded, STUDY, 1, drawn(), FormKind.MDC)
    return Subject(load_pipeline("cxr_ecg", bundle, "cpu"), bundle, [*films, recorded])


def ecg_ph(folder: Path) -> Subject:
    ecg_bundle(folder / "bundle", population=Population(from_years=18))
    forms = (FormKind.MDC, FormKind.LIMB, FormKind.SEQUENTIAL)
    files = [
        write_form(folder / f"{number}.dcm", STUDY, number, drawn(seed=number), form)
        for number, form in enumerate(forms)
    ]
    return Subject(load_pipeline("ecg_ph", folder / "bundle", "cpu"), folder / "bundle", files)


#: By name: from an empty folder to a pipeline and its instances.
SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "echo_haemodynamics": echo_haemodynamics,
    "ecg_ph": ecg_ph,
    "cxr_ecg": cxr_ecg,
    "chest_and_beat": chest_and_beat,
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The stranger's package on the path."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copytree(PLUGIN / "chest_and_beat", folder / "chest_and_beat")
    registered = {"chest_and_beat": "chest_and_beat.registration:CHEST_AND_BEAT"}
    plug_ins.write(folder, "chest-and-beat", registered)
    with plug_ins.installed(folder):
        yield folder


@pytest.fixture(scope="module", params=SUBJECTS)
def subject(
    request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Subject:
    return SUBJECTS[request.param](tmp_path_factory.mktemp(request.param))


def header_of(file: Path) -> Dataset:
    return dcmread(file, stop_before_pixels=True)


def test_every_pipeline_that_is_installed_is_put_to_this_test(packages: Path) -> None:
    assert {entry.name for entry in registry._registered()} == set(SUBJECTS)


def test_its_registration_says_what_it_is(subject: Subject) -> None:
    pipeline = subject.pipeline
    business = registry.find(pipeline.name).business
    assert pipeline.business == business
    assert business.anchors
    assert business.anchors <= business.reads
    assert business.companions <= business.reads
    assert all(UID(uid).is_valid for uid in business.reads)
    assert business.reach_days >= 0
    assert pipeline.version


def test_its_model_card_names_the_weights(subject: Subject) -> None:
    card = subject.pipeline.model
    assert card.algorithm == subject.pipeline.name
    assert card.version == subject.pipeline.version
    assert len(bytes.fromhex(card.bundle_digest)) == 32
    assert UID(card.device_uid).is_valid
    assert card.bundle_name
    assert card.bundle_version
    assert card.intended_use


def test_the_same_bundle_is_the_same_model(subject: Subject) -> None:
    again = load_pipeline(subject.pipeline.name, subject.bundle, "cpu")
    assert again.model == subject.pipeline.model


def test_loading_speaks_to_no_other_machine(subject: Subject, packages: Path) -> None:
    """A library may find out whether there is IPv6; nobody may connect, send or ask for a name."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "def refuse(event, _):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname',\n"
        "                 'socket.sendto', 'socket.sendmsg'}: raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "from inference.pipeline import load_pipeline\n"
        f"load_pipeline({subject.pipeline.name!r}, Path({str(subject.bundle)!r}), 'cpu')\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{packages}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_choosing_leaves_the_header_as_it_is(subject: Subject) -> None:
    for file in subject.files:
        header = header_of(file)
        before = copy.deepcopy(header)
        subject.pipeline.select(header)
        assert header == before


def test_what_was_chosen_may_be_stored_before_it_is_looked_at(subject: Subject) -> None:
    for file in subject.files:
        selected = subject.selected(file)
        stored = replace(selected, plan=json.loads(json.dumps(selected.plan)))
        again = subject.encode([subject.pipeline.look(file, stored)])
        assert same(again, subject.encode([subject.look(file)]))


def test_an_instance_that_it_does_not_read_is_left_out_with_a_reason(subject: Subject) -> None:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = UNREAD, "2.25.1"
    header.SeriesInstanceUID, header.Modality = "2.25.2", "SR"
    left_out = subject.pipeline.select(header)
    assert isinstance(left_out, Rejected)
    assert left_out.instance.sop_instance_uid == "2.25.1"
    assert left_out.detail
    require_valid(left_out.reason)


def test_an_instance_without_pixels_is_unreadable_and_no_failure(
    subject: Subject, tmp_path: Path
) -> None:
    for number, file in enumerate(subject.files):
        emptied = dcmread(file)
        for keyword in ("PixelData", "WaveformSequence"):
            if keyword in emptied:
                delattr(emptied, keyword)
        path = tmp_path / f"{number}.dcm"
        dcmwrite(path, emptied)
        with pytest.raises((InstanceUnreadableError, InstanceExcludedError)):
            subject.pipeline.look(path, subject.selected(file))


def test_every_look_has_its_features_and_the_company_changes_none(subject: Subject) -> None:
    looks = [subject.look(file) for file in subject.files]
    alone = [subject.encode([look])[0] for look in looks]
    assert same(subject.encode(looks), alone)
    assert same(subject.encode(looks[::-1]), alone[::-1])
    assert same(subject.encode([*looks, *looks]), [*alone, *alone])


def test_features_may_be_stored(subject: Subject) -> None:
    made = subject.encode([subject.look(file) for file in subject.files])
    assert same([decode_features(encode_features(each)) for each in made], made)
    assert all(len(encode_features(each)) < 1_000_000 for each in made)


def test_the_order_of_arrival_changes_no_digit(subject: Subject) -> None:
    case = subject.case()
    expected = encode_findings(subject.conclude(case))
    for seed in range(3):
        random.Random(seed).shuffle(case)
        assert encode_findings(subject.conclude(case)) == expected


def test_findings_have_results_that_may_be_stored_and_reported(subject: Subject) -> None:
    findings = subject.conclude(subject.case())
    assert findings.abstention is None
    assert findings.model == subject.pipeline.model
    assert encode_findings(decode_findings(encode_findings(findings))) == encode_findings(findings)
    for results in (findings.measurements, findings.assessments, findings.grades):
        names = [result.name for result in results]
        assert len(set(names)) == len(names)
    for code in codes(findings):
        require_valid(code)


def test_evidence_is_of_the_case_and_ranked(subject: Subject) -> None:
    case = subject.case()
    evidence = subject.conclude(case).evidence
    assert sorted(item.rank for item in evidence) == list(range(1, len(evidence) + 1))
    given = {item.instance.sop_instance_uid for item in case}
    assert {item.instance.sop_instance_uid for item in evidence} <= given


def test_without_any_instance_it_abstains(subject: Subject) -> None:
    findings = subject.conclude([])
    assert findings.abstention
    assert findings.measurements == ()


def test_it_abstains_for_a_reason_of_the_node_and_keeps_what_was_left_out(
    subject: Subject,
) -> None:
    left_out = [
        Exclusion(subject.selected(file).instance, NO_ESTIMATE, UNUSED) for file in subject.files
    ]
    findings = subject.pipeline.abstain(left_out, "the node says so.")
    assert findings.abstention == "the node says so."
    assert findings.exclusions == tuple(left_out)
    assert findings.model == subject.pipeline.model
    for code in codes(findings):
        require_valid(code)


def same(found: Sequence[Features], expected: Sequence[Features]) -> bool:
    """Whether features are equal to the bit, but for their pictures."""
    return len(found) == len(expected) and all(
        one.arrays.keys() == other.arrays.keys()
        and all(
            np.array_equal(one.arrays[name], other.arrays[name], equal_nan=True)
            for name in one.arrays
        )
        and (one.frames, one.notes) == (other.frames, other.notes)
        for one, other in zip(found, expected, strict=True)
    )


def codes(found: Any) -> Iterator[Code]:
    """All codes in findings, however deep."""
    if isinstance(found, Code):
        yield found
    elif is_dataclass(found):
        for field in fields(found):
            yield from codes(getattr(found, field.name))
    elif isinstance(found, tuple):
        for item in found:
            yield from codes(item)


def require_valid(code: Code) -> None:
    """PS3.3 table 8.8-1: Code Value and designator are SH, Code Meaning is LO."""
    for text, most in ((code.value, 16), (code.scheme, 16), (code.meaning, 64)):
        assert text.strip() == text != "", code
        assert len(text) <= most, code
        assert "\\" not in text, code
