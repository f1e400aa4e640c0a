"""The content tree of a Basic Text SR: the same report in words, by TID 2000.

It has no numbers, only items of text (PS3.3 A.35.1.3.1), for archives that take nothing else.
"""

from collections.abc import Iterable, Iterator

from highdicom.sr import ContentItem
from pydicom import Dataset

from dicom_node.report import comparison, concepts, narrative, wording
from dicom_node.report.content import device_observer
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.items import (
    HAS_CONCEPT_MOD,
    INFERRED_FROM,
    code,
    container,
    root,
    source,
    text,
)
from inference.types import Code, Evidence, Findings


def basic_text_content(
    findings: Findings,
    study: StudyContext,
    identity: NodeIdentity,
    predecessor: Predecessor | None,
    notice: Notice,
    *,
    only_summary: bool = False,
) -> Dataset:
    """The root container; sections without anything to say are left out.

    What a reader needs comes first; with `only_summary`, nothing comes after it.
    """
    opening = [*narrative.opening(findings, notice), *narrative.changes(predecessor, notice)]
    opening += narrative.abstention(findings, notice)
    values = (wording.estimate(measurement) for measurement in findings.measurements)
    remarks = [*findings.cautions, *filter(None, [wording.familiarity(findings)])]
    remarks += narrative.reservations(findings)
    if findings.abstention is None:
        remarks += filter(None, [wording.not_analysed(findings)])
    done = ", ".join(code.meaning for code in study.procedures)
    procedure = f"{done}, analysed by" if done else "Analysed by"
    described = [] if only_summary else wording.described_evidence(findings)
    return root(
        concepts.TEXT_REPORT_TITLE,
        "2000",
        [
            code(concepts.LANGUAGE, concepts.ENGLISH, HAS_CONCEPT_MOD),
            *device_observer(findings.model, identity),
            *_section(concepts.SUMMARY, _texts(concepts.COMMENT, opening)),
            *_section(concepts.FINDINGS, _texts(concepts.FINDING, values)),
            *_section(
                concepts.PREVIOUS_FINDINGS,
                _texts(concepts.PREVIOUS_FINDING, comparison.comparisons(findings)),
            ),
            *_section(
                concepts.IMPRESSIONS,
                [
                    *_texts(concepts.IMPRESSION, narrative.verdicts(findings)),
                    *_texts(concepts.COMMENT, remarks),
                ],
            ),
            *_section(
                concepts.PROCEDURE_DESCRIPTIONS,
                _texts(concepts.PROCEDURE_DESCRIPTION, [f"{procedure} {wording.model(findings)}"]),
            ),
            *_section(concepts.KEY_IMAGES, [_evidence(item, findings) for item in described]),
        ],
    )


def _section(heading: Code, items: Iterable[ContentItem]) -> Iterator[ContentItem]:
    listed = list(items)
    if listed:
        yield container(heading, listed)


def _texts(name: Code, sentences: Iterable[str]) -> Iterator[ContentItem]:
    return (text(name, sentence) for sentence in sentences)


def _evidence(evidence: Evidence, findings: Findings) -> ContentItem:
    """Such as "Film 1 of 5, instance 12 (PA): weight 0.50, relevant, without it: ratio -2.1."."""
    told = [
        wording.weight(evidence),
        "relevant" if evidence.relevant else "not relevant",
        wording.bearing(evidence, findings),
        *evidence.notes,
    ]
    place = wording.place(evidence, findings)
    return text(
        concepts.COMMENT,
        f"{place}, {wording.instance_name(evidence.instance)}: {wording.listed(told)}.",
        children=source(evidence, concepts.SOURCE_OF_MEASUREMENT, INFERRED_FROM),
    )
