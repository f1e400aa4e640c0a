"""Films whose header names no view: a small network sees it, trained on the phantom."""

from pathlib import Path

import pytest

from inference.errors import InstanceExcludedError
from inference.models.film_view import FILM_VIEWS, FilmViewNetwork
from inference.phantom.film.making import make_films
from inference.radiograph.film import look
from inference.radiograph.rules import LATERAL_VIEW, OTHER_VIEW, VIEW_UNCERTAIN
from inference.radiograph.seen_view import LEAST_PROBABILITY, SeenView, require_frontal, seen_view
from inference.training.film_view.fitting import count_errors, fit_film_view
from inference.types import Code


@pytest.fixture(scope="module")
def network() -> FilmViewNetwork:
    return fit_film_view(films_per_view=60, seed=1)


def test_it_is_small(network: FilmViewNetwork) -> None:
    assert sum(weights.numel() for weights in network.parameters()) < 100_000


def test_it_tells_views_of_other_phantoms_apart(network: FilmViewNetwork) -> None:
    errors = count_errors(network, films_per_view=30, seed=99)
    assert errors.films == 90
    assert errors.wrong <= 2
    assert errors.doubtful <= 30
    assert errors.accepted_wrongly <= 1


def test_unlabelled_films_of_a_cohort_are_seen(network: FilmViewNetwork, tmp_path: Path) -> None:
    make_films(tmp_path / "cohort", exams=4, preset="easy", seed=3, rows=96)
    folder = tmp_path / "cohort" / "exam-00004"
    for file, view in (("0001.dcm", "frontal"), ("0002.dcm", "lateral"), ("0003.dcm", "other")):
        assert seen_view(network, look(folder / file).pixels).view == view


def test_a_frontal_film_passes() -> None:
    require_frontal(SeenView("frontal", LEAST_PROBABILITY))


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (SeenView("lateral", 0.97), LATERAL_VIEW),
        (SeenView("other", 0.97), OTHER_VIEW),
        *((SeenView(view, 0.8), VIEW_UNCERTAIN) for view in FILM_VIEWS),
    ],
)
def test_anything_else_is_left_out(seen: SeenView, reason: Code) -> None:
    with pytest.raises(InstanceExcludedError, match="the picture looks") as raised:
        require_frontal(seen)
    assert raised.value.reason == reason
