"""The demonstration bundle of ecg_ph, on ECGs that it has not seen."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import inference.bundle
from inference.dicom.header import read_header
from inference.ecg.look import Ecg, examine
from inference.ecg.recording import Recording
from inference.ecg.rules import Needs
from inference.explaining.integrated_gradients import integrated_gradients
from inference.phantom.ecg.forms import FormKind
from inference.phantom.ecg.making import write_form
from inference.phantom.ecg.signal import RATE_HZ
from inference.pipeline import load_pipeline
from inference.pipelines.ecg_ph import EcgPh
from inference.types import Case, Encoded, Presence, Selected
from tests.unit.ecg_phantom import STUDY, drawn

BUNDLE = Path(inference.bundle.__file__).with_name("demonstration_ecg")


@pytest.fixture(scope="module")
def pipeline() -> EcgPh:
    loaded = load_pipeline("ecg_ph", BUNDLE, "cpu")
    assert isinstance(loaded, EcgPh)
    return loaded


@pytest.mark.parametrize(("form", "leads"), [(FormKind.MDC, "12"), (FormKind.LIMB, "6 limb")])
def test_severe_ph_is_present_and_none_is_not_by_twelve_and_by_six_leads(
    form: FormKind, leads: str, pipeline: EcgPh, tmp_path: Path
) -> None:
    for mpap_mmhg, is_ill in ((12.0, False), (60.0, True)):
        file = write_form(tmp_path / "ecg.dcm", STUDY, 1, drawn(mpap_mmhg), form)
        selected = pipeline.select(read_header(file))
        assert isinstance(selected, Selected)
        [features] = pipeline.encode([pipeline.look(file, selected)])
        findings = pipeline.conclude(Case([Encoded(selected.instance, features)]), ())
        assert (findings.assessments[0].presence is Presence.PRESENT) is is_ill
        assert f"Estimated from {leads} leads of one ECG." in findings.limitations
        assert any(said.startswith("AUROC on the test") for said in findings.limitations)


def examined(mpap_mmhg: float) -> Ecg:
    return examine(Recording(drawn(mpap_mmhg).leads, RATE_HZ), Needs(), 50)


@pytest.mark.parametrize("mpap_mmhg", [12.0, 25.0, 60.0])
def test_what_it_looked_at_is_what_moves_its_answer(mpap_mmhg: float, pipeline: EcgPh) -> None:
    """Not asked where hardly anything is added: there, what adds up to it is far larger."""
    beat = examined(mpap_mmhg).beat
    rhythm = torch.tensor([[beat.rr_mean_ms, beat.rr_sd_ms]]) / 1000

    def answer(leads: Tensor) -> Tensor:
        usable = torch.ones(leads.shape[:2], dtype=torch.bool)
        logits: Tensor = pipeline._network(leads, usable, rhythm.expand(len(leads), -1))
        return logits[:, 0]

    leads = torch.from_numpy(beat.leads)
    total = integrated_gradients(answer, leads).double().sum().item()
    added = (answer(leads[None]) - answer(torch.zeros_like(leads)[None])).item()
    assert abs(added) > 1
    assert abs(total - added) <= 1e-2 * abs(added)
