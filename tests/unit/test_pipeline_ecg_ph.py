"""The pipeline ecg_ph: which ECGs it takes, which of them decides, and what a report tells."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.data import get_testdata_file
from torch import Tensor, nn

from inference.bundle.manifest import EcgPreprocessing, LoopPreprocessing, Network, Population
from inference.bundle.targets import GradeTarget
from inference.dicom.header import read_header
from inference.ecg.beats import BEFORE
from inference.ecg.leads import LEADS, LeadSet
from inference.ecg.look import ARMS_REVERSED
from inference.ecg.rules import REASONS
from inference.errors import BundleError, InstanceExcludedError, PipelineUnusableError
from inference.models.lead_vae import EcgClassifier
from inference.phantom.ecg import write_decoy, write_form
from inference.phantom.ecg.decoys import DECOYS, DecoyKind
from inference.phantom.ecg.forms import FormKind
from inference.pipeline import load_pipeline
from inference.pipelines.ecg_bundle import require_fit
from inference.pipelines.ecg_features import encode_ecg
from inference.pipelines.ecg_ph import EcgPh
from inference.pipelines.ecg_words import OTHER_ECG
from inference.pipelines.registration import ECG_PH
from inference.population import AGE_UNKNOWN, OUTSIDE_AGES, UNDER_18
from inference.types import Case, Encoded, Exclusion, Findings, Presence, Rejected, Selected
from tests.peers import shared
from tests.unit.ecg_bundles import BOTH, TWELVE, description, ecg_bundle, presence
from tests.unit.ecg_phantom import STUDY, drawn

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bundles")


def loaded(folder: Path, **changes: Any) -> EcgPh:
    ecg_bundle(folder, **changes)
    made = load_pipeline("ecg_ph", folder, "cpu")
    assert isinstance(made, EcgPh)
    return made


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> EcgPh:
    """Of a bundle for twelve and six leads, sure of whatever it says."""
    sure = tuple(presence(name, slope=1000.0) for name in BOTH)
    return loaded(folder / "both", targets=sure)


@pytest.fixture(scope="module")
def of_twelve_only(folder: Path) -> EcgPh:
    return loaded(folder / "twelve", names=TWELVE)


def write(path: Path, number: int = 1, form: FormKind = FormKind.MDC, **said: Any) -> Path:
    """An ECG, of an adult unless something else is `said` of it."""
    write_form(path, STUDY, number, drawn(seed=number), form)
    dataset = dcmread(path)
    for keyword, value in ({"PatientAge": "063Y"} | said).items():
        setattr(dataset, keyword, value)
    dcmwrite(path, dataset)
    return path


def encoded(pipeline: EcgPh, file: Path) -> Encoded:
    selected = pipeline.select(read_header(file))
    assert isinstance(selected, Selected)
    [features] = pipeline.encode([pipeline.look(file, selected)])
    return Encoded(selected.instance, features)


def concluded(
    pipeline: EcgPh, files: Sequence[Path], exclusions: Sequence[Exclusion] = ()
) -> Findings:
    return pipeline.conclude(Case([encoded(pipeline, file) for file in files]), exclusions)


def excluded(pipeline: EcgPh, file: Path) -> Exclusion:
    """Why an ECG takes no part, by its header or by its samples."""
    selection = pipeline.select(read_header(file))
    if isinstance(selection, Rejected):
        return Exclusion(selection.instance, selection.reason, selection.detail)
    with pytest.raises(InstanceExcludedError) as error:
        pipeline.look(file, selection)
    return Exclusion(selection.instance, error.value.reason, error.value.verdict.detail)


@pytest.mark.parametrize("kind", DecoyKind)
def test_what_is_no_usable_ecg_is_left_out_for_its_reason(
    kind: DecoyKind, pipeline: EcgPh, tmp_path: Path
) -> None:
    file = write_decoy(tmp_path / "decoy.dcm", STUDY, 1, drawn(), kind)
    left_out = excluded(pipeline, file)
    assert left_out.reason == REASONS[DECOYS[kind].breaks]
    if kind in {DecoyKind.PICTURE, DecoyKind.PDF}:
        assert "send 12-lead ECG Waveform Storage" in left_out.detail
    findings = pipeline.conclude(Case(()), [left_out])
    assert findings.abstention
    assert left_out.reason.meaning in findings.abstention


@pytest.mark.parametrize(
    ("modality", "title", "rule"),
    [("ECG", "", "samples"), ("DOC", "Resting ECG", "samples"), ("DOC", "Letter", "ecg")],
)
def test_only_a_document_that_is_an_ecg_is_told_what_to_send(
    modality: str, title: str, rule: str, pipeline: EcgPh
) -> None:
    header = Dataset()
    header.SOPClassUID, header.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.104.1", "1.2"
    header.SeriesInstanceUID, header.Modality, header.DocumentTitle = "1.3", modality, title
    selection = pipeline.select(header)
    assert isinstance(selection, Rejected)
    assert selection.reason == REASONS[rule]


def test_a_study_of_pictures_is_not_its_business() -> None:
    assert "1.2.840.10008.5.1.4.1.1.7" in ECG_PH.business.reads - ECG_PH.business.anchors


def test_it_is_for_adults_unless_the_bundle_says_otherwise(
    pipeline: EcgPh, folder: Path, tmp_path: Path
) -> None:
    newborn = write(tmp_path / "newborn.dcm", PatientAge="003D")
    assert excluded(pipeline, newborn).reason == UNDER_18
    of_old = loaded(folder / "old", population=Population(from_years=70))
    adult = write(tmp_path / "adult.dcm", PatientAge="069Y")
    assert excluded(of_old, adult).reason == OUTSIDE_AGES
    unknown = write(tmp_path / "unknown.dcm", PatientAge="")
    for one in (pipeline, of_old):
        assert AGE_UNKNOWN in concluded(one, [unknown]).limitations


def test_six_leads_are_judged_by_their_own_outputs(pipeline: EcgPh, tmp_path: Path) -> None:
    twelve = write(tmp_path / "12.dcm")
    six = write(tmp_path / "6.dcm", form=FormKind.LIMB)
    of_twelve, of_six = concluded(pipeline, [twelve]), concluded(pipeline, [six])
    assert of_twelve.words.procedure != of_six.words.procedure
    assert "Estimated from 6 limb leads of one ECG." in of_six.limitations
    assert set(of_six.evidence[0].shares) == {f"lead {name}" for name in LEADS[:6]}
    assert sum(of_six.evidence[0].shares.values()) == pytest.approx(1, abs=1e-6)
    # The same heart: only the head differs, and with random weights it says something else.
    logits = [encoded(pipeline, file).features.arrays["logit.PH"] for file in (twelve, six)]
    assert logits[0] != logits[1]


def test_six_leads_are_left_out_by_name_where_the_bundle_needs_twelve(
    of_twelve_only: EcgPh, tmp_path: Path
) -> None:
    left_out = excluded(of_twelve_only, write(tmp_path / "6.dcm", form=FormKind.LIMB))
    assert left_out.reason == REASONS["leads"]
    assert "needed: 12 leads" in left_out.detail


def test_the_newest_ecg_with_the_most_leads_decides(pipeline: EcgPh, tmp_path: Path) -> None:
    early, late = (
        write(tmp_path / f"{hour}.dcm", hour, AcquisitionDateTime=f"202401{hour:02}080000")
        for hour in (10, 11)
    )
    latest = write(tmp_path / "6.dcm", 12, FormKind.LIMB, AcquisitionDateTime="20240112080000")
    findings = concluded(pipeline, [latest, late, early])
    assert findings.evidence[0].instance.instance_number == 11
    others = [item for item in findings.exclusions if item.reason == OTHER_ECG]
    assert [item.instance.instance_number for item in others] == [10, 12]
    assert all("probability of PH" in item.detail for item in others)
    assert any("2 other ECGs of the study did not" in said for said in findings.limitations)


def test_a_report_tells_where_the_model_looked_and_at_which_channels(
    pipeline: EcgPh, tmp_path: Path
) -> None:
    [evidence] = concluded(pipeline, [write(tmp_path / "ecg.dcm")]).evidence
    assert evidence.channels == tuple((1, number) for number in range(1, 13))
    assert sum(evidence.shares.values()) == pytest.approx(1, abs=1e-6)
    sheet, beats = concluded(pipeline, [tmp_path / "ecg.dcm"]).pictures
    assert sheet.method is None
    assert beats.method is not None
    red, _, blue = np.moveaxis(beats.pixels.astype(int), 2, 0)
    assert (red - blue).max() > 100, "something is red"


def test_reversed_arms_are_a_caution(pipeline: EcgPh, tmp_path: Path) -> None:
    heart = drawn(15.0)
    swapped = heart.leads.copy()
    swapped[:5] = heart.leads[[0, 2, 1, 4, 3]]
    swapped[0] *= -1
    for arms, cautions in ((heart.leads, ()), (swapped, (ARMS_REVERSED,))):
        file = write_form(tmp_path / "e.dcm", STUDY, 1, replace(heart, leads=arms), FormKind.MDC)
        assert concluded(pipeline, [file]).cautions == cautions


def test_a_network_of_ten_seconds_needs_all_leads_at_one_time(folder: Path, tmp_path: Path) -> None:
    rhythm = EcgPreprocessing(signal="rhythm", lead_sets=("12 leads", "6 limb leads"))
    of_rhythm = loaded(folder / "rhythm", preprocessing=rhythm)
    one_after_the_other = write(tmp_path / "4x3.dcm", form=FormKind.SEQUENTIAL)
    assert excluded(of_rhythm, one_after_the_other).reason == REASONS["simultaneous"]


class R(nn.Module):
    """A body that looks at the R waves of V1 alone."""

    feature_size = 1

    def forward(self, leads: Tensor, usable: Tensor) -> Tensor:
        return (leads * usable[..., None])[:, LEADS.index("V1"), :].relu().mean(dim=1)[:, None]


def test_ten_seconds_are_explained_beside_the_median_beat(pipeline: EcgPh, tmp_path: Path) -> None:
    file = write(tmp_path / "ecg.dcm")
    selected = pipeline.select(read_header(file))
    assert isinstance(selected, Selected)
    network = EcgClassifier(R(), 2, hears_rhythm=False).eval().requires_grad_(requires_grad=False)
    made = encode_ecg(
        network,
        "rhythm",
        pipeline.look(file, selected),
        LeadSet.TWELVE,
        {"PH": 0, "postcapillary": 1},
        torch.device("cpu"),
    )
    assert made.arrays["shares"][LEADS.index("V1")] == 1
    looked_at = made.arrays["looked_at"][LEADS.index("V1")]
    assert looked_at.shape == (480,)
    assert abs(int(looked_at.argmax()) - BEFORE) < 20, "at the R wave"


def test_leads_one_after_the_other_will_do_for_a_median_beat(
    pipeline: EcgPh, tmp_path: Path
) -> None:
    findings = concluded(pipeline, [write(tmp_path / "4x3.dcm", form=FormKind.SEQUENTIAL)])
    assert "Leads were recorded one after the other." in findings.limitations


def test_features_of_another_bundle_are_refused(
    pipeline: EcgPh, of_twelve_only: EcgPh, tmp_path: Path
) -> None:
    of_six = encoded(pipeline, write(tmp_path / "6.dcm", form=FormKind.LIMB))
    with pytest.raises(BundleError, match="another bundle"):
        of_twelve_only.conclude(Case([of_six]), ())


def test_the_mains_are_a_setting_by_which_ecgs_are_prepared(folder: Path) -> None:
    ecg_bundle(folder / "mains")
    of_60 = load_pipeline("ecg_ph", folder / "mains", "cpu", mains_hz=60)
    assert of_60.model.preparing == ("mains 60 Hz",)
    with pytest.raises(PipelineUnusableError, match="mains_hz must be 50 or 60"):
        load_pipeline("ecg_ph", folder / "mains", "cpu", mains_hz=55)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pipeline": "echo_haemodynamics"}, "for the pipeline"),
        ({"preprocessing": LoopPreprocessing(frame_size_px=64)}, "not with an ECG"),
        ({"names": ("PH.6-leads", "postcapillary.6-leads")}, "knows the presence of"),
        ({"names": ("postcapillary.12-leads",)}, "no target PH.12-leads"),
        (
            {"targets": (GradeTarget(kind="grade", name="PH.12-leads", levels=("a", "b")),)}
            | {"names": ("PH.12-leads",)},
            "a grade PH.12-leads",
        ),
        (
            {"networks": tuple(Network(prefix=p, architecture="x", targets=TWELVE) for p in "ab")}
            | {"names": TWELVE},
            "has 2 networks",
        ),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BundleError, match=why):
        require_fit(description(**changes))


def test_a_real_ecg_is_judged(pipeline: EcgPh) -> None:
    """pydicom's own file: a Mortara, two groups, SCP-ECG codes."""
    findings = concluded(pipeline, [Path(str(get_testdata_file("waveform_ecg.dcm")))])
    ph = findings.assessments[0]
    assert ph.name == "PH"
    assert ph.presence is not Presence.UNDETERMINED
    assert findings.classification is not None


def test_how_well_the_bundle_does_with_these_leads_is_said(pipeline: EcgPh, tmp_path: Path) -> None:
    said = "AUROC on the test patients: PH 0.93 (0.90 to 0.96)."
    assert said in concluded(pipeline, [write(tmp_path / "12.dcm")]).limitations
    of_six = concluded(pipeline, [write(tmp_path / "6.dcm", form=FormKind.LIMB)])
    assert not any("AUROC" in sentence for sentence in of_six.limitations)


@pytest.mark.parametrize("name", ["", "_deflated"])
def test_a_recording_of_the_catheter_laboratory_is_left_out(pipeline: EcgPh, name: str) -> None:
    file = shared("data", "ecg", f"gemarquette_maclab_hemodynamic{name}.dcm")
    assert excluded(pipeline, file).reason == REASONS["resting"]
