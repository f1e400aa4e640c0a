"""The evaluation as files: one self-contained HTML, a PDF, and every figure as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from inference.training.cohort import sizes
from inference.training.evaluation import (
    coverage_section,
    evidence_sections,
    extreme_loops,
    groups,
    sections,
    trvmax_rule,
    wording,
)
from inference.training.evaluation.conditions import CONDITIONS
from inference.training.evaluation.evaluating import Evaluation
from inference.training.evaluation.familiarity_section import familiarity
from inference.training.evaluation.html import as_html
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.pdf import as_pdf
from inference.training.evaluation.section import Page, Section, SectionOf, Subject
from inference.training.output import write_whole

HTML, PDF, JSON = "report.html", "report.pdf", "figures.json"
TITLE = "How good is the model?"

#: The sections in the order in which they are read; a further one is a further line.
SECTIONS: Sequence[SectionOf] = (
    evidence_sections.signal,
    sections.performance,
    sections.agreement,
    sections.calibration,
    coverage_section.section,
    sections.detection,
    evidence_sections.probabilities,
    sections.verdicts,
    evidence_sections.baselines,
    trvmax_rule.section,
    sections.subgroups,
    groups.section,
    sections.attention,
    extreme_loops.section,
    familiarity,
    sections.improvements,
)


def write_report(
    evaluation: Evaluation,
    subject: Subject,
    folder: Path,
    *,
    title: str = TITLE,
    section_functions: Sequence[SectionOf] = SECTIONS,
) -> Path:
    """Write report.html, report.pdf and figures.json into `folder`; gives back the HTML's path.

    The HTML needs no other file and no network. The same evaluation gives the same bytes.
    """
    made = [part(evaluation, subject) for part in section_functions]
    shown = [section for section in made if section is not None]
    page = _page(evaluation, subject, title, shown)
    return write_page(page, as_json(evaluation, subject, shown), folder)


def write_page(page: Page, document: Mapping[str, Any], folder: Path) -> Path:
    """Write a page as report.html and report.pdf, its figures as figures.json; the HTML's path."""
    document = _finite(document)
    write_whole(folder / JSON, json.dumps(document, indent=2, allow_nan=False) + "\n")
    write_whole(folder / HTML, as_html(page))
    write_whole(folder / PDF, as_pdf(page))
    return folder / HTML


def flat_figures(evaluation: Evaluation) -> dict[str, Figure]:
    """The figures that a bundle carries, such as `mPAP.mae`: those of what it holds, if defined."""
    held = evaluation.held
    found = {
        f"{target}.{name}": each
        for target in held
        for name, each in evaluation.targets[target].reported.items()
    }
    for table in evaluation.at_thresholds:
        if all(item.quantity in held for item in CONDITIONS[table.condition]):
            key = table.condition.lower().replace(" ", "_")
            found |= {f"{key}.{name}": each for name, each in table.figures.items()}
    for stated in evaluation.verdicts.conditions:
        key = stated.condition.lower().replace(" ", "_")
        found |= {f"stated.{key}.{name}": each for name, each in stated.figures.items()}
    return {name: each for name, each in found.items() if each.value is not None}


def limitations(evaluation: Evaluation) -> list[str]:
    """What a bundle says of itself: small numbers, better baselines, looks at the test split."""
    found = sizes.warnings(evaluation.predictions.measured(evaluation.held))
    for item in evaluation.baselines:
        if item.target in evaluation.held:
            found += evidence_sections.baseline_sentences(item)
    counted = evaluation.looks
    if counted is not None and counted.number > 1:
        found.append(
            f"The test split was looked at {counted.first} times with {counted.number} models up "
            "to this one; its figures are too good where the best of them was picked."
        )
    return found


def as_json(
    evaluation: Evaluation, subject: Subject, sections_: Sequence[Section]
) -> dict[str, Any]:
    """Everything but the rows of single exams and loops."""
    document: dict[str, Any] = {
        "subject": asdict(subject),
        "exams": dict(evaluation.exams),
        "patients": dict(evaluation.patients),
        "draws": evaluation.draws,
        "seed": evaluation.seed,
        "coverage": evaluation.coverage,
        "thresholds": evaluation.calibration.thresholds,
    }
    for section in sections_:
        document |= section.figures
    return document


def _finite(value: Any) -> Any:
    """The same without numbers that JSON does not know: null in their place."""
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _page(evaluation: Evaluation, subject: Subject, title: str, shown: Sequence[Section]) -> Page:
    caveats = [*wording.caveats(evaluation), *(text for each in shown for text in each.caveats)]
    return Page(
        title=title,
        model=f"{subject.name} {subject.version}",
        counts=(
            f"{evaluation.exams.get('test', 0)} test exams of "
            f"{evaluation.patients.get('test', 0)} patients"
        ),
        warning=wording.WARNINGS[subject.standing],
        headline=list(wording.headline(evaluation)),
        caveats=caveats,
        sections=shown,
        method=list(wording.method(evaluation, subject)),
    )
