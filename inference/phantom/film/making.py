"""Make a folder of studies of the chest with their labels and their truth."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from inference.phantom import haemodynamics
from inference.phantom.cohort_folder import Row, claim, write_cohort
from inference.phantom.film.anatomy import ChestAnatomy, Exposure, draw_chest, draw_exposure
from inference.phantom.film.border import Border, bordered
from inference.phantom.film.canvas import Plane
from inference.phantom.film.decoys import FILM_DECOYS, FilmDecoy, FilmDecoyKind, Picture
from inference.phantom.film.frontal import frontal
from inference.phantom.film.other_views import hand, lateral
from inference.phantom.film.storing import VARIANTS, FilmClass
from inference.phantom.film.writing import FilmTags, write
from inference.phantom.haemodynamics import Catheterisation, Haemodynamics
from inference.phantom.labels import label_row
from inference.phantom.patient import draw_patient
from inference.phantom.presets import preset_named
from inference.phantom.visits import Visit, draw_visits
from inference.phantom.writing import StudyTags, sop_instance_uid

#: Stands in every UID; raise it when the same seed gives other pixels.
_EDITION = 1
#: Random streams of one seed, beside those of patients and echo exams.
_EXAM, _FILM = 13, 14
_DECOYS_PER_EXAM = 2
#: Of so many studies one holds an AP film of the same day, too.
_AP_EVERY = 3
#: The heart lies farther from the film, so that it looks larger.
_AP_MAGNIFICATION = 1.12
_COLUMNS_PER_ROW = 0.875


@dataclass(frozen=True, slots=True)
class FilmExam:
    """Everything about one study but its pixels."""

    truth: Haemodynamics
    catheter: Catheterisation
    chest: ChestAnatomy
    exposure: Exposure


def draw_film_exam(preset: str, seed: int, visit: Visit) -> FilmExam:
    """Draw one exam of a cohort; the patients and their pressures are those of the echo phantom.

    Raises:
        ValueError: there is no preset of this name.
    """
    hardness = preset_named(preset)
    truth = draw_patient(seed, visit.patient, visit.return_visit).truth
    rng = np.random.default_rng([seed, visit.exam, _EXAM])
    catheter = haemodynamics.measure(truth, hardness.label_noise_mmhg, rng)
    chest = draw_chest(truth, rng, hardness.film_spread)
    exposure = draw_exposure(rng, hardness.film_spread, (seed, visit.exam, _FILM))
    return FilmExam(truth, catheter, chest, exposure)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a study, and what it is for the truth: its kind, and the rule that it breaks."""

    tags: FilmTags
    picture: Picture
    chest: ChestAnatomy
    exposure: Exposure
    border: Border
    kind: str
    breaks: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.tags.number:04}.dcm"

    def greys(self, rows: int) -> Plane:
        """The pixels (rows, columns) in 0..1, bones white."""
        columns = round(_COLUMNS_PER_ROW * rows)
        if self.picture is Picture.LATERAL:
            return lateral(self.chest, self.exposure, rows, columns)
        if self.picture is Picture.HAND:
            return hand(self.exposure, rows, columns)
        return bordered(frontal(self.chest, self.exposure, rows, columns), self.border)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that a cohort follows from."""

    films: int
    preset: str
    seed: int
    rows: int
    decoys: bool


def make_films(
    out: Path,
    *,
    exams: int,
    preset: str = "realistic",
    seed: int = 1,
    rows: int = 512,
    jobs: int = 1,
    decoys: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `exams` studies into `out`, each in a folder of its own, and labels.csv and truth.csv.

    `rows` is the height of a film in pixels. The same arguments give the same bytes, whatever
    `jobs` is. Called again after an interruption, the studies that are there are kept.

    Raises:
        ValueError: unknown preset, or no exams.
        FileExistsError: `out` holds something else, or a phantom of other arguments.
    """
    if exams < 1 or jobs < 1:
        raise ValueError("exams and jobs must be at least 1")
    preset_named(preset)
    recipe = _Recipe(exams, preset, seed, rows, decoys)
    claim(out, {"edition": _EDITION, **asdict(recipe)})
    visits = draw_visits(exams, seed)
    studies = {_folder(visit): partial(_write_study, recipe, visit) for visit in visits}
    labels = (_label_row(recipe, visit) for visit in visits)
    truth = (row for visit in visits for row in _truth_rows(recipe, visit))
    return write_cohort(out, studies, labels, truth, jobs, on_progress)


def _folder(visit: Visit) -> str:
    return f"exam-{visit.exam:05}"


def _tags(recipe: _Recipe, visit: Visit) -> StudyTags:
    cohort = f"films/{_EDITION}/{recipe.preset}/{recipe.seed}/{recipe.rows}/{recipe.decoys}"
    patient_id = f"PHANTOM-{recipe.seed}-{visit.patient:05}"
    return StudyTags(f"{cohort}/{visit.exam}", patient_id, visit.exam_date)


def _write_study(recipe: _Recipe, visit: Visit, folder: Path) -> None:
    exam = draw_film_exam(recipe.preset, recipe.seed, visit)
    write_pieces(
        folder, _tags(recipe, visit), pieces(exam, visit, decoys=recipe.decoys), recipe.rows
    )


def write_pieces(folder: Path, study: StudyTags, chosen: Iterable[Piece], rows: int) -> None:
    """Write the files of one study."""
    for piece in chosen:
        write(folder / piece.file, study, piece.tags, piece.greys(rows))


def pieces(exam: FilmExam, visit: Visit, *, decoys: bool) -> Iterator[Piece]:
    """The PA film, an AP film in every third study, and two kinds of decoys in turn."""
    borders = list(Border)
    storing = VARIANTS[visit.exam % len(VARIANTS)]
    stated = "" if storing.film_class is FilmClass.SECONDARY_CAPTURE else "PA"
    first = Piece(
        tags=FilmTags(1, view=stated, storing=storing),
        picture=Picture.FRONTAL,
        chest=exam.chest,
        exposure=exam.exposure,
        border=borders[visit.exam % len(borders)],
        kind="film",
        breaks="",
    )
    yield first
    number = 2
    if visit.exam % _AP_EVERY == 0:
        larger = replace(
            exam.chest,
            cardiothoracic_ratio=min(0.8, _AP_MAGNIFICATION * exam.chest.cardiothoracic_ratio),
        )
        yield replace(
            first,
            tags=FilmTags(number, view="AP"),
            chest=larger,
            exposure=_again(exam.exposure, number),
            border=Border.NONE,
        )
        number += 1
    kinds = list(FilmDecoyKind)
    for place in range(_DECOYS_PER_EXAM if decoys else 0):
        kind = kinds[(_DECOYS_PER_EXAM * visit.exam + place) % len(kinds)]
        yield _decoy(first, number + place, kind, FILM_DECOYS[kind])


def _decoy(film: Piece, number: int, kind: FilmDecoyKind, decoy: FilmDecoy) -> Piece:
    tags = FilmTags(number, decoy.view, decoy.part, decoy.storing, decoy.also)
    return replace(
        film,
        tags=tags,
        picture=decoy.picture,
        exposure=_again(film.exposure, number),
        border=Border.NONE,
        kind=kind.value,
        breaks=decoy.breaks,
    )


def _again(exposure: Exposure, number: int) -> Exposure:
    """The same patient, exposed once more."""
    return replace(exposure, seed=(*exposure.seed, number))


def _label_row(recipe: _Recipe, visit: Visit) -> Row:
    exam = draw_film_exam(recipe.preset, recipe.seed, visit)
    return label_row(_tags(recipe, visit), visit, exam.catheter)


def _truth_rows(recipe: _Recipe, visit: Visit) -> Iterator[Row]:
    """One row per file: what it is, and the state and anatomy that it shows."""
    exam, study = draw_film_exam(recipe.preset, recipe.seed, visit), _tags(recipe, visit)
    state = {**asdict(exam.truth), "pvr_wu": exam.truth.pvr_wu}
    for piece in pieces(exam, visit, decoys=recipe.decoys):
        yield {
            "file": f"{_folder(visit)}/{piece.file}",
            "patient_id": study.patient_id,
            "study_instance_uid": study.uid,
            "sop_instance_uid": sop_instance_uid(study, piece.tags.number),
            "kind": piece.kind,
            "breaks": piece.breaks,
            "shows": piece.picture.value,
            "view": piece.tags.view,
            "border": piece.border.value,
            "stored": piece.tags.storing.scale.value,
            **{name: f"{value:.4f}" for name, value in {**state, **asdict(piece.chest)}.items()},
        }
