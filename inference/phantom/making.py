"""Make a folder of phantom studies with its labels and its truth, or a single study."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path

from inference.phantom.cohort_folder import Row, claim, write_cohort
from inference.phantom.decoys import DECOYS, DecoyKind
from inference.phantom.exams import Exam, draw_exam, exam_of
from inference.phantom.haemodynamics import Haemodynamics
from inference.phantom.labels import label_row
from inference.phantom.presets import preset_named
from inference.phantom.scanners import PHANTOM, scanner_named
from inference.phantom.study import Piece, pieces_of, write_pieces
from inference.phantom.visits import Visit, draw_visits
from inference.phantom.writing import StudyTags

#: Stands in every UID; raise it when the same seed gives other pixels.
_EDITION = 1
_DECOYS_PER_EXAM = 2
_RAW_EVERY = 5


@dataclass(frozen=True, slots=True)
class _Recipe:
    """All that a cohort follows from."""

    exams: int
    preset: str
    seed: int
    size: str
    decoys: bool
    scanner: str


def make(  # noqa: PLR0913 - what `echonode phantom make` may be told
    out: Path,
    *,
    exams: int,
    preset: str = "realistic",
    seed: int = 1,
    size: str = "cart",
    jobs: int = 1,
    decoys: bool = True,
    scanner: str = PHANTOM.name,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `exams` studies into `out`, each in a folder of its own, and labels.csv and truth.csv.

    The same arguments give the same bytes, whatever `jobs` is. A study's folder appears whole or
    not at all; called again after an interruption, the studies that are there are kept.
    `on_progress(done, total)` is called after each study.

    Raises:
        ValueError: unknown preset, scanner or size, or no exams.
        FileExistsError: `out` holds something else, or a phantom of other arguments.
    """
    if exams < 1 or jobs < 1:
        raise ValueError("exams and jobs must be at least 1")
    preset_named(preset)
    scanner_named(scanner).size_named(size)
    recipe = _Recipe(exams, preset, seed, size, decoys, scanner)
    claim(out, _facts(recipe))
    visits = draw_visits(exams, seed)
    studies = {_folder(visit): partial(_write_study, recipe, visit) for visit in visits}
    labels = (_label_row(recipe, visit) for visit in visits)
    truth = (row for visit in visits for row in _truth_rows(recipe, visit))
    return write_cohort(out, studies, labels, truth, jobs, on_progress)


def make_study(
    out: Path,
    haemodynamics: Haemodynamics,
    *,
    seed: int = 0,
    size: str = "cart",
    loops: int = 6,
    decoys: bool = True,
    scanner: str = PHANTOM.name,
) -> list[Path]:
    """Write one study of chosen haemodynamics into `out`; with decoys, one of every kind.

    Raises:
        ValueError: unknown scanner or size, or no loops.
    """
    seen_by = scanner_named(scanner)
    layout = seen_by.size_named(size)
    name = f"{_of(scanner)}study/{_EDITION}/{seed}/{size}/{loops}/{decoys}/{haemodynamics}"
    patient_id = f"{seen_by.prefix}-{seed}-{round(haemodynamics.mpap_mmhg)}"
    study = StudyTags(name, patient_id, date(2024, 1, 15))
    pieces = pieces_of(
        exam_of(haemodynamics, seed=seed, loops=loops, scanner=seen_by),
        list(DecoyKind) if decoys else [],
    )
    out.mkdir(parents=True, exist_ok=True)
    return write_pieces(out, study, pieces, seen_by, layout)


def _facts(recipe: _Recipe) -> dict[str, object]:
    facts = asdict(recipe)
    if recipe.scanner == PHANTOM.name:
        del facts["scanner"]  # as in folders that were begun when there was only one
    return {"edition": _EDITION, **facts}


def _write_study(recipe: _Recipe, visit: Visit, folder: Path) -> None:
    pieces = _pieces(recipe, visit, _exam(recipe, visit))
    scanner = scanner_named(recipe.scanner)
    write_pieces(folder, _tags(recipe, visit), pieces, scanner, scanner.size_named(recipe.size))


def _folder(visit: Visit) -> str:
    return f"exam-{visit.exam:05}"


def _exam(recipe: _Recipe, visit: Visit) -> Exam:
    return draw_exam(
        preset_named(recipe.preset),
        recipe.seed,
        patient=visit.patient,
        exam=visit.exam,
        return_visit=visit.return_visit,
        scanner=scanner_named(recipe.scanner),
    )


def _tags(recipe: _Recipe, visit: Visit) -> StudyTags:
    name = f"cohort/{_EDITION}/{recipe.preset}/{recipe.seed}/{recipe.size}/{recipe.decoys}"
    patient_id = f"{scanner_named(recipe.scanner).prefix}-{recipe.seed}-{visit.patient:05}"
    return StudyTags(f"{_of(recipe.scanner)}{name}/{visit.exam}", patient_id, visit.exam_date)


def _of(scanner: str) -> str:
    """What begins the names behind the UIDs of a scanner's studies."""
    return "" if scanner == PHANTOM.name else f"{scanner}/"


def _pieces(recipe: _Recipe, visit: Visit, exam: Exam) -> list[Piece]:
    """The loops, the last of every fifth exam raw, and two kinds of decoys in turn."""
    kinds = list(DecoyKind)
    first = visit.exam * _DECOYS_PER_EXAM
    chosen = [kinds[(first + number) % len(kinds)] for number in range(_DECOYS_PER_EXAM)]
    raw = int(visit.exam % _RAW_EVERY == 0)
    return pieces_of(exam, chosen if recipe.decoys else [], raw)


def _label_row(recipe: _Recipe, visit: Visit) -> Row:
    catheter = _exam(recipe, visit).catheter
    trvmax_m_s = "" if catheter.trvmax_m_s is None else catheter.trvmax_m_s
    return label_row(_tags(recipe, visit), visit, catheter) | {"trvmax_m_s": trvmax_m_s}


def _truth_rows(recipe: _Recipe, visit: Visit) -> Iterator[Row]:
    """One row per file: what it is, and the state and anatomy that it shows."""
    exam, study = _exam(recipe, visit), _tags(recipe, visit)
    state = {**asdict(exam.truth), "pvr_wu": exam.truth.pvr_wu}
    for piece in _pieces(recipe, visit, exam):
        shown = {**state, **asdict(piece.loop.heart)}
        yield {
            "file": f"{_folder(visit)}/{piece.file}",
            "patient_id": study.patient_id,
            "study_instance_uid": study.uid,
            "sop_instance_uid": piece.sop_instance_uid(study),
            "kind": piece.decoy or "loop",
            "breaks": DECOYS[piece.decoy].breaks if piece.decoy else "",
            "view": piece.loop.view.value,
            "quality": piece.loop.quality.value,
            "depth_cm": f"{piece.loop.probe.depth_cm:.2f}",
            **{name: f"{value:.4f}" for name, value in shown.items()},
        }
