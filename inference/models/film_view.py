"""A small network that tells a frontal chest film from a lateral one and from anything else."""

from itertools import pairwise

from torch import Tensor, nn

SIDE_PX = 64
#: What the outputs stand for, in their order.
FILM_VIEWS = ("frontal", "lateral", "other")


class FilmViewNetwork(nn.Module):
    """Films (N, 1, 64, 64) in 0..1, bones white, to logits (N, 3): about 60,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 64)
        blocks = [
            layer
            for before, after in pairwise(widths)
            for layer in (
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
        ]
        self.features = nn.Sequential(*blocks)
        # 4 x 4 places are kept: where the spine and the heart stand tells the view.
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 4 * 4, 3))

    def forward(self, films: Tensor) -> Tensor:
        """The logits of each film."""
        logits: Tensor = self.head(self.features(films - 0.5))
        return logits
