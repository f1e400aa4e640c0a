"""The multi-view network: all loops of an exam in, one number per target out.

    frames --encoder--> frame features --AFFB--> loop features --AFFB--> exam feature --Linear--> z

Training runs it whole on padded batches. The node runs it in two halves, `encode_loop` while loops
arrive and `fuse` when the exam is complete; both ways give the same numbers. Outputs are z-scored
(standard deviations of the training targets from their mean).

Letters in shapes: B exams, L loops, T frames, N frames that are really there, d feature size,
K outputs.
"""

from typing import NamedTuple

from torch import Tensor, nn

from inference.models.attention import AttentionFusion


class LoopFeature(NamedTuple):
    """What one loop becomes: feature (d) and the attention score of each frame (T)."""

    feature: Tensor
    frame_score: Tensor


class ExamOutput(NamedTuple):
    """z-scored outputs (..., K), with score and weight of every loop (..., L)."""

    output: Tensor
    loop_score: Tensor
    loop_weight: Tensor


class MultiView(nn.Module):
    """Encoder, attention over frames, attention over loops and a linear head."""

    def __init__(self, encoder: nn.Module, feature_size: int, outputs: int) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.encoder = encoder
        self.frames = AttentionFusion(self.feature_size)
        self.loops = AttentionFusion(self.feature_size)
        self.head = nn.Linear(self.feature_size, outputs)

    def forward(self, clips: Tensor, mask: Tensor) -> ExamOutput:
        """Estimate from clips (B, L, T, 1, H, W) under a frame mask (B, L, T).

        Padded frames never reach the encoder, so they leave its batch statistics alone; a loop
        without frames is padding too.
        """
        encoded = self.encoder(clips[mask])  # (N, d)
        features = encoded.new_zeros(*mask.shape, self.feature_size)  # (B, L, T, d)
        features[mask] = encoded
        loops = self.frames(features, mask).feature  # (B, L, d)
        return self.fuse(loops, mask.any(dim=-1))

    def encode_loop(self, frames: Tensor) -> LoopFeature:
        """Encode the frames (T, 1, H, W) of one loop."""
        fused = self.frames(self.encoder(frames))  # (T, d) -> (d)
        return LoopFeature(fused.feature, fused.score)

    def fuse(self, loops: Tensor, mask: Tensor | None = None) -> ExamOutput:
        """Estimate from loop features (..., L, d) under a loop mask (..., L)."""
        exam = self.loops(loops, mask)
        return ExamOutput(self.head(exam.feature), exam.score, exam.weight)
