"""Make a folder of synthetic ECGs with its labels and its truth."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from inference.ecg.drawing import sheet
from inference.phantom import haemodynamics
from inference.phantom.cohort_folder import Row, claim, write_cohort
from inference.phantom.ecg.decoys import DECOYS, DecoyKind
from inference.phantom.ecg.forms import FORMS, USUAL_HZ, FormKind
from inference.phantom.ecg.signal import RATE_HZ, Ecg, draw_ecg
from inference.phantom.ecg.writing import write_pdf, write_picture, write_waveform
from inference.phantom.labels import label_row
from inference.phantom.patient import draw_patient
from inference.phantom.presets import preset_named
from inference.phantom.visits import Visit, draw_visits
from inference.phantom.writing import StudyTags, sop_instance_uid

#: Stands in every UID; raise it when the same seed gives other samples.
_EDITION = 1
_DECOYS_PER_STUDY = 2
_ECG, _CATHETER = 5, 6


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that a cohort follows from."""

    ecgs: int
    preset: str
    seed: int
    decoys: bool


def make(
    out: Path,
    *,
    ecgs: int,
    preset: str = "realistic",
    seed: int = 1,
    jobs: int = 1,
    decoys: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `ecgs` studies of one ECG, and decoys, into `out`, with labels.csv and truth.csv.

    Patients and visits are those of an echo phantom of the same seed. Each study has the next form
    of `FORMS`. The same arguments give the same bytes; called again after an interruption, the
    studies that are there are kept. `on_progress(done, total)` is called after each study.

    Raises:
        ValueError: unknown preset, or no ECGs.
        FileExistsError: `out` holds something else, or a phantom of other arguments.
    """
    if ecgs < 1 or jobs < 1:
        raise ValueError("ecgs and jobs must be at least 1")
    preset_named(preset)
    recipe = _Recipe(ecgs, preset, seed, decoys)
    claim(out, {"kind": "ecg", "edition": _EDITION, **asdict(recipe)})
    visits = draw_visits(ecgs, seed)
    studies = {_folder(visit): partial(_write_study, recipe, visit) for visit in visits}
    labels = (_label_row(recipe, visit) for visit in visits)
    truth = (row for visit in visits for row in _truth_rows(recipe, visit))
    return write_cohort(out, studies, labels, truth, jobs, on_progress)


def write_form(path: Path, study: StudyTags, number: int, ecg: Ecg, kind: FormKind) -> Path:
    """Write an ECG in one of the forms that can be read."""
    return write_waveform(path, study, number, FORMS[kind].write(ecg))


def write_decoy(path: Path, study: StudyTags, number: int, ecg: Ecg, kind: DecoyKind) -> Path:
    """Write what is made of the first 10 s of an ECG and is no usable one."""
    ecg = replace(ecg, leads=ecg.leads[:, : 10 * RATE_HZ])
    write = DECOYS[kind].write
    if write is not None:
        return write_waveform(path, study, number, write(ecg))
    page = sheet(ecg.leads[:, :: RATE_HZ // USUAL_HZ], caption="SYNTHETIC PHANTOM - NOT A PATIENT")
    as_picture = write_picture if kind is DecoyKind.PICTURE else write_pdf
    return as_picture(path, study, number, page)


def _folder(visit: Visit) -> str:
    return f"ecg-{visit.exam:05}"


def _tags(recipe: _Recipe, visit: Visit) -> StudyTags:
    name = f"ecg/{_EDITION}/{recipe.preset}/{recipe.seed}/{recipe.decoys}/{visit.exam}"
    return StudyTags(name, f"PHANTOM-{recipe.seed}-{visit.patient:05}", visit.exam_date)


def _form(visit: Visit) -> FormKind:
    return list(FormKind)[(visit.exam - 1) % len(FormKind)]


def _decoys(recipe: _Recipe, visit: Visit) -> list[DecoyKind]:
    kinds = list(DecoyKind)
    first = visit.exam * _DECOYS_PER_STUDY
    count = _DECOYS_PER_STUDY if recipe.decoys else 0
    return [kinds[(first + number) % len(kinds)] for number in range(count)]


def _ecg(recipe: _Recipe, visit: Visit) -> Ecg:
    truth = draw_patient(recipe.seed, visit.patient, visit.return_visit).truth
    rng = np.random.default_rng([recipe.seed, visit.exam, _ECG])
    seconds = FORMS[_form(visit)].seconds
    return draw_ecg(truth, rng, preset_named(recipe.preset), seconds=seconds)


def _write_study(recipe: _Recipe, visit: Visit, folder: Path) -> None:
    ecg, study = _ecg(recipe, visit), _tags(recipe, visit)
    write_form(folder / "0001.dcm", study, 1, ecg, _form(visit))
    for number, kind in enumerate(_decoys(recipe, visit), start=2):
        write_decoy(folder / f"{number:04}.dcm", study, number, ecg, kind)


def _label_row(recipe: _Recipe, visit: Visit) -> Row:
    preset = preset_named(recipe.preset)
    truth = draw_patient(recipe.seed, visit.patient, visit.return_visit).truth
    rng = np.random.default_rng([recipe.seed, visit.exam, _CATHETER])
    catheter = haemodynamics.measure(truth, preset.label_noise_mmhg, rng)
    return label_row(_tags(recipe, visit), visit, catheter)


def _truth_rows(recipe: _Recipe, visit: Visit) -> Iterator[Row]:
    """One row per file: what it is, and the state and heart that it shows."""
    ecg, study = _ecg(recipe, visit), _tags(recipe, visit)
    truth = draw_patient(recipe.seed, visit.patient, visit.return_visit).truth
    heart = ecg.heart
    shown = {
        **asdict(truth),
        "pvr_wu": truth.pvr_wu,
        "rv_load": heart.rv_load,
        "strain": heart.strain,
        "right_atrium": heart.right_atrium,
        "left_atrium": heart.left_atrium,
        "heart_rate_bpm": heart.heart_rate_bpm,
    }
    kinds: list[tuple[str, str]] = [(_form(visit), "")]
    kinds += [(kind, DECOYS[kind].breaks) for kind in _decoys(recipe, visit)]
    for number, (kind, breaks) in enumerate(kinds, start=1):
        yield {
            "file": f"{_folder(visit)}/{number:04}.dcm",
            "patient_id": study.patient_id,
            "study_instance_uid": study.uid,
            "sop_instance_uid": sop_instance_uid(study, number),
            "kind": kind,
            "breaks": breaks,
            "irregular": int(heart.irregular),
            **{name: f"{value:.4f}" for name, value in shown.items()},
        }
