"""Make a folder of patients with films and ECGs over years, with their labels and their truth.

Each visit is a study of the chest, and studies of one ECG each within days of it; `appointments`
says who has none, two, or one that is too far away.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from inference.phantom.cohort_folder import Row, claim, write_cohort
from inference.phantom.ecg.forms import FORMS, FormKind
from inference.phantom.ecg.making import write_form
from inference.phantom.film.making import Piece, draw_film_exam, pieces, write_pieces
from inference.phantom.labels import label_row
from inference.phantom.patient import draw_patient
from inference.phantom.patients.appointments import Appointment, draw_appointments
from inference.phantom.patients.hearts import draw_recording
from inference.phantom.presets import preset_named
from inference.phantom.visits import Visit, draw_visits
from inference.phantom.writing import StudyTags, sop_instance_uid

#: Stands in every UID; raise it when the same seed gives other pixels or samples.
_EDITION = 1
#: A patient comes four times at most.
_MOST_VISITS = 4
#: Ways to write an ECG of twelve leads; each visit has the next.
_FORMS = tuple(kind for kind in FormKind if not FORMS[kind].limb)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that a cohort follows from."""

    patients: int
    preset: str
    seed: int
    rows: int
    decoys: bool


def make(
    out: Path,
    *,
    patients: int,
    preset: str = "realistic",
    seed: int = 1,
    rows: int = 512,
    jobs: int = 1,
    decoys: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the films and ECGs of `patients`, each study in a folder, and labels.csv and truth.csv.

    `rows` is the height of a film in pixels; `decoys` are films that must be rejected. Labels are
    of the studies of the chest. Patients and visits are those of the other phantoms of the same
    seed. The same arguments give the same bytes; called again after an interruption, the studies
    that are there are kept.
    `on_progress(done, total)` is called after each study.

    Raises:
        ValueError: unknown preset, or no patients.
        FileExistsError: `out` holds something else, or a phantom of other arguments.
    """
    if patients < 1 or jobs < 1:
        raise ValueError("patients and jobs must be at least 1")
    preset_named(preset)
    recipe = _Recipe(patients, preset, seed, rows, decoys)
    claim(out, {"kind": "patients", "edition": _EDITION, **asdict(recipe)})
    visits = _visits(patients, seed)
    studies: dict[str, Callable[[Path], None]] = {}
    for visit in visits:
        studies[_film_folder(visit)] = partial(_write_film, recipe, visit)
        for ecg in draw_appointments(seed, visit):
            studies[_ecg_folder(visit, ecg)] = partial(_write_ecg, recipe, visit, ecg)
    labels = (_label_row(recipe, visit) for visit in visits)
    truth = (row for visit in visits for row in _truth_rows(recipe, visit))
    return write_cohort(out, studies, labels, truth, jobs, on_progress)


def _visits(patients: int, seed: int) -> list[Visit]:
    """All visits of the first patients."""
    enough = draw_visits(_MOST_VISITS * patients + 1, seed)
    return [visit for visit in enough if visit.patient <= patients]


def _film_folder(visit: Visit) -> str:
    return f"visit-{visit.exam:05}-film"


def _ecg_folder(visit: Visit, ecg: Appointment) -> str:
    return f"visit-{visit.exam:05}-ecg-{ecg.number}"


def _film_tags(recipe: _Recipe, visit: Visit) -> StudyTags:
    return StudyTags(f"{_name(recipe, visit)}/film", _patient_id(recipe, visit), visit.exam_date)


def _ecg_tags(recipe: _Recipe, visit: Visit, ecg: Appointment) -> StudyTags:
    name = f"{_name(recipe, visit)}/ecg/{ecg.number}"
    return StudyTags(name, _patient_id(recipe, visit), ecg.date)


def _name(recipe: _Recipe, visit: Visit) -> str:
    cohort = f"patients/{_EDITION}/{recipe.preset}/{recipe.seed}/{recipe.rows}/{recipe.decoys}"
    return f"{cohort}/{visit.exam}"


def _patient_id(recipe: _Recipe, visit: Visit) -> str:
    return f"PHANTOM-{recipe.seed}-{visit.patient:05}"


def _films(recipe: _Recipe, visit: Visit) -> Iterator[Piece]:
    exam = draw_film_exam(recipe.preset, recipe.seed, visit)
    return pieces(exam, visit, decoys=recipe.decoys)


def _write_film(recipe: _Recipe, visit: Visit, folder: Path) -> None:
    write_pieces(folder, _film_tags(recipe, visit), _films(recipe, visit), recipe.rows)


def _form(visit: Visit) -> FormKind:
    return _FORMS[visit.exam % len(_FORMS)]


def _write_ecg(recipe: _Recipe, visit: Visit, ecg: Appointment, folder: Path) -> None:
    form = _form(visit)
    recorded = draw_recording(recipe.preset, recipe.seed, visit, ecg, FORMS[form].seconds)
    write_form(folder / "0001.dcm", _ecg_tags(recipe, visit, ecg), 1, recorded, form)


def _label_row(recipe: _Recipe, visit: Visit) -> Row:
    exam = draw_film_exam(recipe.preset, recipe.seed, visit)
    return label_row(_film_tags(recipe, visit), visit, exam.catheter)


def _truth_rows(recipe: _Recipe, visit: Visit) -> Iterator[Row]:
    """One row per file: what it is, how far in days from the film, and the state that it shows."""
    truth = draw_patient(recipe.seed, visit.patient, visit.return_visit).truth
    state = {**asdict(truth), "pvr_wu": truth.pvr_wu}
    shown = {name: f"{value:.4f}" for name, value in state.items()}

    def row(file: str, study: StudyTags, number: int, kind: str, breaks: str, days: int) -> Row:
        return {
            "file": file,
            "patient_id": study.patient_id,
            "visit": visit.exam,
            "study_instance_uid": study.uid,
            "sop_instance_uid": sop_instance_uid(study, number),
            "kind": kind,
            "breaks": breaks,
            "days_from_film": days,
            **shown,
        }

    films = _film_tags(recipe, visit)
    for piece in _films(recipe, visit):
        file, number = f"{_film_folder(visit)}/{piece.file}", piece.tags.number
        yield row(file, films, number, piece.kind, piece.breaks, 0)
    for ecg in draw_appointments(recipe.seed, visit):
        study = _ecg_tags(recipe, visit, ecg)
        days = (ecg.date - visit.exam_date).days
        yield row(f"{_ecg_folder(visit, ecg)}/0001.dcm", study, 1, _form(visit), "", days)
