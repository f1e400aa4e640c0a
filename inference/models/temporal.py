"""The temporal encoder: the frames of a loop look at each other before attention fuses them."""

from torch import Tensor, nn

_HEADS = 4


class BeatEncoder(nn.Module):
    """One transformer layer over the frame features of a loop; any number of frames.

    Training draws frames anywhere in the loop, evaluation one beat evenly, so the layer sees a set
    and no clock. Both branches begin at zero: training starts from the network without it.
    """

    def __init__(self, feature_size: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(feature_size)
        self.attention = nn.MultiheadAttention(feature_size, _HEADS, batch_first=True)
        self.before_mixing = nn.LayerNorm(feature_size)
        self.mixing = nn.Sequential(
            nn.Linear(feature_size, 2 * feature_size),
            nn.ReLU(),
            nn.Linear(2 * feature_size, feature_size),
        )
        for last in (self.attention.out_proj, self.mixing[2]):
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Frame features (..., T, d) under a mask (..., T) to features of the same shape."""
        flat = frames.reshape(-1, *frames.shape[-2:])  # (N, T, d)
        absent = None
        if mask is not None:
            absent = ~mask.reshape(-1, mask.shape[-1])
            absent = absent & ~absent.all(dim=1, keepdim=True)  # an empty row would be NaN
        seen = self.before_attention(flat)
        looked, _ = self.attention(seen, seen, seen, key_padding_mask=absent, need_weights=False)
        flat = flat + looked
        flat = flat + self.mixing(self.before_mixing(flat))
        mixed: Tensor = flat.view_as(frames)
        return mixed
