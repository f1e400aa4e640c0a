"""A report in every case: if its full form fails our own check, the most complete one that passes.

A reader may take a missing report for "nothing found". So each object is tried with less and
less in it, the structured report down to its summary alone; an accompanying one that passes in no
form is left out. What was left out is said in the report and handed back for the audit.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from itertools import combinations

import structlog

from dicom_node.report.build import BuiltObject, build
from dicom_node.report.context import NodeIdentity, Notice, Predecessor, StudyContext
from dicom_node.report.errors import ReportError
from dicom_node.report.references import can_be_referenced
from inference.types import Findings
from storage.states import ResultKind

log = structlog.get_logger()

_SHOWN_AS: dict[ResultKind, str] = {
    "SC": "the summary picture",
    "PDF": "the PDF page",
    "KOS": "the key object selection",
    "RN": "the rejection note",
}


@dataclass(frozen=True, slots=True)
class Made:
    """The objects of a report, and what had to be left out of them (mostly nothing)."""

    objects: tuple[BuiltObject, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """What an object is made of, reduced step by step."""

    findings: Findings
    study: StudyContext
    notice: Notice
    only_summary: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """One reduction of an object; `words` name what is left out."""

    words: str
    reduce: Callable[[_Draft], _Draft]


def _without_orders(draft: _Draft) -> _Draft:
    return replace(draft, study=draft.study.without_orders())


def _in_utf_8(draft: _Draft) -> _Draft:
    return replace(draft, study=draft.study.in_utf_8())


def _without_bad_references(draft: _Draft) -> _Draft:
    """Without previews, too: what cannot be pointed at need not be shown."""
    findings = draft.findings
    evidence = [item for item in findings.evidence if can_be_referenced(item.instance)]
    return replace(
        draft,
        findings=replace(
            findings,
            evidence=tuple(replace(item, preview=None) for item in evidence),
            pictures=(),
            exclusions=tuple(
                item for item in findings.exclusions if can_be_referenced(item.instance)
            ),
        ),
    )


def _only_summary(draft: _Draft) -> _Draft:
    bare = replace(draft.findings, evidence=(), exclusions=())
    return replace(draft, findings=bare, only_summary=True)


_STEPS = (
    _Step("the order, the procedure and the description of the study", _without_orders),
    _Step("the original character set of the patient's data", _in_utf_8),
    _Step("instances whose UIDs are not valid, and previews", _without_bad_references),
)
_LEAST = _Step("everything but the summary", _only_summary)
#: What is tried, in this order: as little as possible is left out.
_ACCOMPANYING = tuple(
    chosen for count in range(len(_STEPS) + 1) for chosen in combinations(_STEPS, count)
)
_REPORT = (*_ACCOMPANYING, *((*chosen, _LEAST) for chosen in _ACCOMPANYING))


def build_what_passes(
    findings: Findings,
    study: StudyContext,
    *,
    identity: NodeIdentity,
    made_at: datetime,
    predecessor: Predecessor | None,
    notice: Notice,
    kinds: Collection[ResultKind],
) -> Made:
    """Make and check the objects of one revision, as `build` does, or the most that passes.

    Raises:
        ReportError: not even the summary of the report passes.
    """

    def attempt(draft: _Draft, kind: ResultKind) -> tuple[BuiltObject, ...]:
        return build(
            draft.findings,
            draft.study,
            identity=identity,
            made_at=made_at,
            predecessor=predecessor,
            notice=draft.notice,
            kinds=[kind],
            only_summary=draft.only_summary,
        )

    full = _Draft(findings, study, notice)
    left_out: list[str] = []
    accompanying: list[BuiltObject] = []
    for kind in sorted(set(kinds) - {"SR"}, key=list(_SHOWN_AS).index):
        try:
            made, without = _most_that_passes(full, kind, _ACCOMPANYING, attempt)
        except ReportError:
            left_out.append(_SHOWN_AS[kind])
        else:
            accompanying += made
            left_out += [f"from {_SHOWN_AS[kind]}: {words}" for words in without]
    if "SR" not in kinds:
        return Made(tuple(accompanying), tuple(left_out))
    reports, without = _most_that_passes(_told(full, left_out), "SR", _REPORT, attempt)
    return Made((*reports, *accompanying), (*without, *left_out))


def _most_that_passes(
    full: _Draft,
    kind: ResultKind,
    ways: Sequence[tuple[_Step, ...]],
    attempt: Callable[[_Draft, ResultKind], tuple[BuiltObject, ...]],
) -> tuple[tuple[BuiltObject, ...], list[str]]:
    """The objects of one kind, and what each step that was needed left out."""
    problems: Sequence[str] = ()
    for steps in ways:
        draft = reduce(lambda draft, step: step.reduce(draft), steps, full)
        without = [step.words for step in steps]
        try:
            return attempt(_told(draft, without), kind), without
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, less of the report may pass
            problems = error.problems if isinstance(error, ReportError) else [type(error).__name__]
            log.warning("report does not pass its check", kind=kind, code=problems[0])
    raise ReportError(problems)


def _told(draft: _Draft, left_out: Sequence[str]) -> _Draft:
    """The same, with a limitation that names what is left out."""
    if not left_out:
        return draft
    said = (
        f"Left out because it failed this node's own check: {'; '.join(left_out)}. "
        "Please tell the administrator."
    )
    limitations = (*draft.findings.limitations, said)
    return replace(draft, findings=replace(draft.findings, limitations=limitations))
