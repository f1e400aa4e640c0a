"""The report on a bundle at another site: as shipped first, then each local step by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from inference.bundle.card import Elsewhere
from inference.bundle.manifest import Manifest
from inference.training.evaluation import sections, wording
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.local import Change, FitBy, Local, Step
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.report import SECTIONS, as_json, write_page
from inference.training.evaluation.section import Page, Section, Subject, Table
from inference.training.evaluation.wording import NAMES, NO_FIGURE, unit
from inference.types import Standing

TITLE = "How good is this bundle here?"
_TEXTS: Mapping[Standing, str] = {
    Standing.PHANTOM: "The bundle was trained on synthetic echo: its estimates say nothing about "
    "patients.",
    Standing.UNTRAINED: "The bundle learned nothing: its figures are those of chance.",
    Standing.RESEARCH: "Judged on the exams of one cohort; other patients, carts and sonographers "
    "may give other figures.",
}
_AS_SHIPPED = (
    "Up to step 2 every figure is of the bundle as it was packed: its own estimates, intervals, "
    "thresholds and probabilities; nothing is fitted here. Where a text below says validation, "
    "that of the bundle's training is meant; the exams judged here are the test."
)
#: What the model card shows, with its decimals.
_CARD = {"mae": 1, "bias": 1, "pcc": 2, "coverage": 2}
_FIT_BY: Mapping[FitBy, str] = {
    FitBy.PATIENT: "drawn at random",
    FitBy.DATE: "whose latest exams are the earliest",
}


@dataclass(frozen=True, slots=True)
class Here:
    """What is judged: which exams count, and what limits the figures, in sentences."""

    cohort_sha256: str
    whose: str
    caveats: tuple[str, ...] = ()


def write_external(
    evaluation: Evaluation, manifest: Manifest, here: Here, local: Local | str, folder: Path
) -> Path:
    """Write report.html, report.pdf and figures.json; gives back the HTML's path.

    `local` is a sentence where nothing could be fitted locally.
    """
    subject = Subject(manifest.name, manifest.version, manifest.standing, here.cohort_sha256)
    # What the steps of the training changed is for the report of the training.
    taken = [part for part in SECTIONS if part is not sections.improvements]
    found = [part(evaluation, subject) for part in taken]
    shipped = [part for part in found if part is not None]
    shown = [_shipped(here), *shipped, *_steps(local)]
    page = Page(
        title=TITLE,
        model=f"{manifest.name} {manifest.version}, digest {manifest.digest[:16]}",
        counts=(
            f"{evaluation.exams.get('test', 0)} exams of "
            f"{evaluation.patients.get('test', 0)} patients"
        ),
        warning={
            "title": wording.WARNINGS[manifest.standing]["title"],
            "text": _TEXTS[manifest.standing],
        },
        headline=headline(evaluation, local),
        caveats=[
            *here.caveats,
            *wording.caveats(evaluation),
            *(text for each in shown for text in each.caveats),
        ],
        sections=shown,
        method=list(_method(evaluation, manifest, here, local)),
    )
    return write_page(page, as_json(evaluation, subject, shown), folder)


def elsewhere(evaluation: Evaluation, here: Here) -> Elsewhere:
    """What the bundle's model card says about this cohort, as shipped."""
    rows = [
        [
            f"{target}, {unit(target)}",
            *(result.reported[name].show(decimals) for name, decimals in _CARD.items()),
        ]
        for target, result in evaluation.targets.items()
    ]
    return Elsewhere(
        f"{evaluation.exams['test']} exams of {evaluation.patients['test']} patients, cohort "
        f"{here.cohort_sha256[:16]}. {here.whose} In brackets the 95 % interval.",
        ["", *(NAMES[name].split(" (")[0] for name in _CARD)],
        rows,
    )


def headline(evaluation: Evaluation, local: Local | str) -> list[str]:
    """The few sentences that a hurried reader takes away: as shipped, then fitted locally."""
    return [*wording.headline(evaluation), *_fitted(local)]


def _shipped(here: Here) -> Section:
    return Section(
        "Step 1: the bundle as shipped",
        [
            here.whose,
            _AS_SHIPPED,
        ],
    )


def _steps(local: Local | str) -> Iterator[Section]:
    if isinstance(local, str):
        yield Section("Step 2: local recalibration", [f"Not done: {local}"])
        return
    fitted, judged = (
        f"{local.exams(part)} exams of {local.patients(part)} patients"
        for part in ("validation", "test")
    )
    how = (
        f"Fitted on {fitted} {_FIT_BY[local.fit_by]}; before and after on the other {judged}. No "
        "patient is in both. In brackets the 95 % interval."
    )
    for number, step in enumerate(local.steps, start=2):
        yield Section(
            f"Step {number}: {step.title[0].lower()}{step.title[1:]}",
            [step.text, how],
            [_table(step)] if step.changes else [],
            figures={
                f"step_{number}": {
                    "title": step.title,
                    "changes": [asdict(change) for change in step.changes],
                }
            },
        )


def _table(step: Step) -> Table:
    rows = [_row(change) for change in step.changes]
    return Table(["", "Figure", "Before this step", "After it", "Difference"], rows)


def _row(change: Change) -> list[str]:
    difference = NO_FIGURE if change.difference is None else change.difference.show()
    name = NAMES.get(change.name, change.name.capitalize())
    return [change.about, name, change.before.show(), change.after.show(), difference]


def _fitted(local: Local | str) -> Iterator[str]:
    """What the local steps change of the first target, in one sentence."""
    if isinstance(local, str):
        return
    target = local.targets[0]
    first: dict[str, Figure] = {}
    last: dict[str, Figure] = {}
    for change in (change for step in local.steps for change in step.changes):
        if change.about == target:
            first.setdefault(change.name, change.before)
            last[change.name] = change.after
    told = [
        f"{words} from {first[name].show(decimals)} to {last[name].show(decimals)}{of}"
        for name, words, decimals, of in (
            ("bias", "its bias", 1, f" {unit(target)}"),
            ("mae", "its error", 1, f" {unit(target)}"),
            ("coverage", "the share of truths inside the interval", 2, ""),
        )
        if name in first
    ]
    if told:
        yield (
            f"Fitted to {local.exams('validation')} local exams, {target} changes on "
            f"{local.exams('test')} others: {', '.join(told)}."
        )


def _method(
    evaluation: Evaluation, manifest: Manifest, here: Here, local: Local | str
) -> Iterator[str]:
    yield (
        f"Bundle: {manifest.name} {manifest.version}, digest {manifest.digest}, trained on "
        f"{manifest.cohort.description}."
    )
    yield f"Cohort: {here.cohort_sha256}. {here.whose}"
    yield "Every exam was estimated by the pipeline's own functions, from all of its loops."
    if not isinstance(local, str):
        yield (
            f"Local steps: fitted on {local.patients('validation')} patients "
            f"{_FIT_BY[local.fit_by]}, judged on the other {local.patients('test')}; targets: "
            f"{', '.join(local.targets)}. Each step keeps those before it."
        )
    yield f"Bootstrap: {evaluation.draws} draws of patients, seed {evaluation.seed}."
