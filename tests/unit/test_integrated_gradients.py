"""Integrated gradients add up to what they explain, and leave out what has no part in it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from inference.ecg.leads import LEADS, LIMB
from inference.ecg.look import examine
from inference.ecg.recording import Recording
from inference.ecg.rules import Needs
from inference.explaining.integrated_gradients import integrated_gradients
from inference.phantom.ecg.signal import RATE_HZ
from tests.unit.ecg_bundles import BOTH, network
from tests.unit.ecg_phantom import drawn

Answer = Callable[[Tensor], Tensor]


def beat_of(mpap_mmhg: float, seed: int = 1) -> Tensor:
    """The median beat (12, 480) of a patient at this pressure, mV."""
    recording = Recording(drawn(mpap_mmhg, seed=seed).leads, RATE_HZ)
    return torch.from_numpy(examine(recording, Needs(), 50).beat.leads)


@pytest.fixture(scope="module")
def beat() -> Tensor:
    return beat_of(75.0)


@pytest.fixture(scope="module")
def answers() -> Answer:
    """All logits of a network that has learnt to tell severe PH from none."""
    learning = network(len(BOTH))
    usable, rhythm = torch.ones(1, len(LEADS), dtype=torch.bool), torch.tensor([[0.8, 0.02]])

    def answer(batch: Tensor) -> Tensor:
        count = len(batch)
        logits: Tensor = learning(batch, usable.expand(count, -1), rhythm.expand(count, -1))
        return logits

    pressures = (15.0, 75.0)
    beats = torch.stack([beat_of(mpap, seed) for seed in range(3) for mpap in pressures])
    present = torch.tensor([0.0, 1.0]).repeat(3)
    steps = torch.optim.Adam(learning.parameters(), 1e-3)
    for _ in range(20):
        loss = binary_cross_entropy_with_logits(answer(beats)[:, 0], present)
        steps.zero_grad()
        loss.backward()
        steps.step()
    learning.requires_grad_(requires_grad=False)
    return answer


@pytest.fixture(scope="module")
def ph(answers: Answer) -> Answer:
    return lambda batch: answers(batch)[:, 0]


@pytest.mark.parametrize(("steps", "share"), [(64, 1e-2), (256, 1e-3)])
def test_together_they_are_what_the_input_adds_to_the_answer(
    beat: Tensor, ph: Answer, steps: int, share: float
) -> None:
    added = (ph(beat[None]) - ph(torch.zeros_like(beat)[None])).item()
    total = integrated_gradients(ph, beat, steps=steps).double().sum().item()
    assert abs(total - added) <= share * abs(added)


def test_of_a_weighted_sum_they_are_its_terms() -> None:
    weights, given = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([3.0, 4.0, 5.0])
    found = integrated_gradients(lambda batch: batch @ weights, given, steps=3)
    torch.testing.assert_close(found, weights * given)


def test_of_a_square_they_are_that_square() -> None:
    """The midpoint rule is exact for straight gradients."""
    given = torch.tensor([3.0, -4.0])
    found = integrated_gradients(lambda batch: (batch**2).sum(dim=1), given, steps=5)
    torch.testing.assert_close(found, given**2)


def test_what_an_answer_does_not_see_has_no_part(beat: Tensor, answers: Answer) -> None:
    of_six_leads = integrated_gradients(lambda batch: answers(batch)[:, 2], beat)
    assert of_six_leads[:LIMB].abs().sum() > 0
    assert not of_six_leads[LIMB:].any()


def test_they_are_those_of_another_library(beat: Tensor, ph: Answer) -> None:
    captum = pytest.importorskip("captum.attr")
    explained = captum.IntegratedGradients(ph)
    theirs = explained.attribute(beat[None], n_steps=64, method="riemann_middle")[0]
    torch.testing.assert_close(integrated_gradients(ph, beat), theirs.float(), atol=1e-5, rtol=0)
