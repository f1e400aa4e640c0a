"""The paper's loss: half mean squared error, half cross-entropy at the limit of disease."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from inference.errors import TrainingDataError
from inference.training.scales import Scale


class HaemodynamicLoss:
    """Per target 1/2 (MSE of z-scores + BCE of lying above the limit), averaged over targets.

    The limit is soft, so that both halves can be learned from: the probability of lying above it
    is sigmoid((estimate - limit) / tau). Targets that were not measured are left out. Balanced, the
    cross-entropy of the training exams above the limit weighs in all as much as of those below.

    Raises:
        TrainingDataError: balanced, and all training exams are on one side of a limit.
    """

    def __init__(
        self,
        scales: Sequence[Scale],
        *,
        cross_entropy: bool,
        device: torch.device,
        balanced: bool = False,
    ) -> None:
        columns = [(scale.mean, scale.sd, scale.limit, scale.tau) for scale in scales]
        self._mean, self._sd, self._limit, self._tau = torch.tensor(columns, device=device).T
        self._cross_entropy = cross_entropy
        weights = [weight_above(scale) if balanced else 1.0 for scale in scales]
        self._weight_above = torch.tensor(weights, device=device)

    def __call__(self, output: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        """The loss of z-scored outputs (B, K) against truth (B, K) in units, NaN if not measured.

        `known` (K) is how many exams of the whole step have each target. These may be a part of
        them: the losses of the parts then add up to that of the whole.
        """
        measured = torch.isfinite(truth)
        per_exam = self._per_exam(output.float(), torch.nan_to_num(truth)) * measured  # (B, K)
        per_target = per_exam.sum(dim=0) / known.clamp(min=1)  # (K)
        loss: Tensor = per_target.sum() / (known > 0).sum().clamp(min=1)
        return loss

    def _per_exam(self, output: Tensor, truth: Tensor) -> Tensor:
        squared: Tensor = (output - (truth - self._mean) / self._sd).square()
        if not self._cross_entropy:
            return squared
        logit = (self._mean + self._sd * output - self._limit) / self._tau
        above = (truth > self._limit).float()
        crossed = functional.binary_cross_entropy_with_logits(
            logit, above, reduction="none", pos_weight=self._weight_above
        )
        halves: Tensor = (squared + crossed) / 2
        return halves


def weight_above(scale: Scale) -> float:
    """What balances the cross-entropy of the exams above the limit.

    Raises:
        TrainingDataError: all training exams are on one side of it.
    """
    if not 0 < scale.above < 1:
        side = "above" if scale.above else "below"
        raise TrainingDataError(
            f"loss.balanced: every training exam is {side} the limit of {scale.target} "
            f"({scale.limit:g}); add exams of the other side, or leave `balanced` out"
        )
    return (1 - scale.above) / scale.above
