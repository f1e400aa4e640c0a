"""The loss: half z-scored error, half cross-entropy at the limit, what is missing left out."""

import math

import pytest
import torch

from inference.errors import TrainingDataError
from inference.training.loss import HaemodynamicLoss
from inference.training.scales import Scale

CPU = torch.device("cpu")
MPAP = Scale(target="mPAP", mean=36.0, sd=16.0, limit=20.0, tau=5.0, above=0.75)
PVR = Scale(target="PVR", mean=6.0, sd=5.0, limit=2.0, tau=1.5, above=0.8)


def loss(*scales: Scale, cross_entropy: bool = True, balanced: bool = False) -> HaemodynamicLoss:
    return HaemodynamicLoss(scales, cross_entropy=cross_entropy, balanced=balanced, device=CPU)


def test_one_exam_by_hand() -> None:
    found = loss(MPAP)(torch.tensor([[0.5]]), torch.tensor([[28.0]]), torch.tensor([1.0]))
    error = (0.5 - (28 - 36) / 16) ** 2
    probability = 1 / (1 + math.exp(-(36 + 16 * 0.5 - 20) / 5))
    assert float(found) == pytest.approx((error - math.log(probability)) / 2)


def test_without_cross_entropy_it_is_the_squared_error_alone() -> None:
    found = loss(MPAP, cross_entropy=False)(
        torch.tensor([[0.5]]), torch.tensor([[28.0]]), torch.tensor([1.0])
    )
    assert float(found) == pytest.approx(1.0)


def test_balanced_exams_above_the_limit_weigh_in_all_as_much_as_those_below() -> None:
    """Three quarters have PH: the cross-entropy of each counts a third."""
    at_the_limit, one = torch.full((1, 1), (20.0 - 36) / 16), torch.tensor([1.0])
    for truth, weight in ((20.0, 1.0), (20.001, 1 / 3)):
        found = loss(MPAP, balanced=True)(at_the_limit, torch.tensor([[truth]]), one)
        assert float(found) == pytest.approx(weight * math.log(2) / 2, abs=1e-4)


@pytest.mark.parametrize(("above", "side"), [(0.0, "below"), (1.0, "above")])
def test_a_cohort_of_one_class_cannot_be_balanced(above: float, side: str) -> None:
    with pytest.raises(TrainingDataError, match=f"every training exam is {side} the limit of mPAP"):
        loss(MPAP.model_copy(update={"above": above}), balanced=True)


def test_at_the_limit_itself_there_is_no_disease() -> None:
    same = torch.full((1, 1), (20.0 - 36) / 16)
    at, above = (
        float(loss(MPAP)(same, torch.tensor([[truth]]), torch.tensor([1.0])))
        for truth in (20.0, 20.001)
    )
    assert at == pytest.approx(math.log(2) / 2)
    assert above == pytest.approx(math.log(2) / 2, abs=1e-4)
    far = torch.full((1, 1), (60.0 - 36) / 16)
    at, above = (
        float(loss(MPAP)(far, torch.tensor([[truth]]), torch.tensor([1.0])))
        for truth in (20.0, 20.001)
    )
    assert at - above == pytest.approx(8 / 2, abs=0.01)


def test_a_missing_value_teaches_nothing_and_counts_for_nothing() -> None:
    output = torch.tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True)
    truth = torch.tensor([[30.0, math.nan], [40.0, 5.0]])
    whole = loss(MPAP, PVR)(output, truth, torch.tensor([2.0, 1.0]))
    whole.backward()
    assert output.grad is not None
    assert output.grad[0, 1] == 0
    assert torch.isfinite(output.grad).all()
    alone = loss(PVR)(output[1:, 1:], truth[1:, 1:], torch.tensor([1.0]))
    both = loss(MPAP)(output[:, :1], truth[:, :1], torch.tensor([2.0]))
    assert whole.item() == pytest.approx((alone.item() + both.item()) / 2)


def test_the_losses_of_the_parts_of_a_step_add_up_to_that_of_the_whole() -> None:
    torch.manual_seed(0)
    output, truth = torch.randn(7, 2), torch.rand(7, 2) * 40
    truth[2, 1] = truth[5, 1] = math.nan
    known = torch.isfinite(truth).sum(dim=0)
    judge = loss(MPAP, PVR)
    parts = [judge(output[a:b], truth[a:b], known) for a, b in ((0, 3), (3, 4), (4, 7))]
    assert float(sum(parts)) == pytest.approx(float(judge(output, truth, known)), rel=1e-5)


def test_a_step_in_which_nobody_has_a_target_is_judged_by_the_others() -> None:
    output = torch.zeros(2, 2, requires_grad=True)
    truth = torch.tensor([[30.0, math.nan], [40.0, math.nan]])
    found = loss(MPAP, PVR)(output, truth, torch.isfinite(truth).sum(dim=0))
    assert found.item() == pytest.approx(
        loss(MPAP)(output[:, :1], truth[:, :1], torch.tensor([2.0])).item()
    )
