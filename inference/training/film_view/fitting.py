"""Train the network of views on the phantom, and count its errors on films it has not seen."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from inference.models.film_view import FILM_VIEWS, FilmViewNetwork
from inference.radiograph.seen_view import LEAST_PROBABILITY
from inference.training.film_view.drawing import draw_films

_EPOCHS, _BATCH = 16, 32
_LEARNING_RATE = 3e-3


@dataclass(frozen=True, slots=True)
class ViewErrors:
    """What became of held-out films: `wrong` got a wrong view that was believed.

    `doubtful` got none, as no view was probable enough. `accepted_wrongly` are the worst of the
    wrong: taken for frontal.
    """

    films: int
    wrong: int
    doubtful: int
    accepted_wrongly: int


def fit_film_view(films_per_view: int = 400, seed: int = 1) -> FilmViewNetwork:
    """Train on the phantom; the same arguments on the same machine give the same network."""
    films, views = draw_films(films_per_view, seed)
    pixels, targets = torch.from_numpy(films)[:, None], torch.from_numpy(views)
    torch.manual_seed(seed)
    network = FilmViewNetwork().train()
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    order = np.random.default_rng([seed, 23])
    batches = -(-len(films) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _LEARNING_RATE, total_steps=_EPOCHS * batches
    )
    for _ in range(_EPOCHS):
        for chosen in np.array_split(order.permutation(len(films)), batches):
            loss = nn.functional.cross_entropy(
                network(pixels[chosen]), targets[chosen], label_smoothing=0.02
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.eval()


def count_errors(network: FilmViewNetwork, films_per_view: int, seed: int) -> ViewErrors:
    """Ask the network of films that are drawn with another seed than those of its training."""
    films, views = draw_films(films_per_view, seed)
    with torch.inference_mode():
        probabilities = network(torch.from_numpy(films)[:, None]).softmax(dim=1).numpy()
    seen, certain = probabilities.argmax(axis=1), probabilities.max(axis=1) >= LEAST_PROBABILITY
    wrong = certain & (seen != views)
    return ViewErrors(
        films=len(films),
        wrong=int(wrong.sum()),
        doubtful=int((~certain).sum()),
        accepted_wrongly=int((wrong & (seen == FILM_VIEWS.index("frontal"))).sum()),
    )
