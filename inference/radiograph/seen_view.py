"""Which view a film shows, where its header does not say: asked of a small network."""

from typing import NamedTuple

import torch
from torch import nn

from inference.errors import InstanceExcludedError
from inference.models.film_view import FILM_VIEWS, SIDE_PX
from inference.radiograph.film import Picture, fitted
from inference.radiograph.rules import LATERAL_VIEW, OTHER_VIEW, VIEW_UNCERTAIN
from inference.types import Verdict

#: A view is believed from this probability on.
LEAST_PROBABILITY = 0.9
_REASONS = {"lateral": LATERAL_VIEW, "other": OTHER_VIEW}


class SeenView(NamedTuple):
    """The most probable of `FILM_VIEWS`, and its probability."""

    view: str
    probability: float


def seen_view(network: nn.Module, film: Picture) -> SeenView:
    """Ask the network (in its evaluation mode, on the CPU) of one film (side, side) in 0..1."""
    small = torch.from_numpy(fitted(film, SIDE_PX))
    with torch.inference_mode():
        probabilities = network(small[None, None]).softmax(dim=1)[0]
    best = int(probabilities.argmax())
    return SeenView(FILM_VIEWS[best], float(probabilities[best]))


def require_frontal(seen: SeenView) -> None:
    """Let a film pass that is frontal beyond doubt.

    Raises:
        InstanceExcludedError: it shows something else, or the network is in doubt.
    """
    certain = seen.probability >= LEAST_PROBABILITY
    if certain and seen.view == "frontal":
        return
    detail = f"the picture looks {seen.view} ({seen.probability:.0%})"
    why = _REASONS[seen.view] if certain else VIEW_UNCERTAIN
    raise InstanceExcludedError(Verdict("frontal_picture", False, detail), why)
