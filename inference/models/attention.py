"""The attention feature fusion block (AFFB) of the paper: many components become one."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Fused(NamedTuple):
    """One fused feature per row and what each component had to do with it.

    `feature` is (..., d); `score` and `weight` are (..., N). The score is the paper's raw weight,
    comparable across exams; the weights of a row sum to 1 and are 0 where the mask is False.
    """

    feature: Tensor
    score: Tensor
    weight: Tensor


class AttentionFusion(nn.Module):
    """Score every component with one shared linear layer and sum by softmax of the scores.

    Zero-initialised, so training starts from the mean. Any number of components, in any order.
    """

    def __init__(self, feature_size: int) -> None:
        super().__init__()
        self.score = nn.Linear(feature_size, 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    def forward(self, components: Tensor, mask: Tensor | None = None) -> Fused:
        """Fuse components (..., N, d) under a boolean mask (..., N), True where one is there.

        A row without any component fuses to the zero feature with zero weights.
        """
        score = self.score(components).squeeze(-1)  # (..., N)
        logits = score.float()
        if mask is None:
            weight = torch.softmax(logits, dim=-1)
        else:
            # The lowest finite number, not -inf: an empty row would turn every gradient into NaN.
            lowest = torch.finfo(logits.dtype).min
            weight = torch.softmax(logits.masked_fill(~mask, lowest), dim=-1) * mask
        weighted = weight.to(components.dtype).unsqueeze(-2) @ components  # (..., 1, d)
        return Fused(weighted.squeeze(-2), score, weight)
