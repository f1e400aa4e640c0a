"""Findings as JSON for the database, and back; what is drawn is left out."""

import json
from dataclasses import asdict, replace
from typing import Any

from inference.types import (
    Assessment,
    Classification,
    Code,
    Course,
    Evidence,
    Exclusion,
    Familiarity,
    Findings,
    Grade,
    InstanceRef,
    Measurement,
    ModelCard,
    Point,
    Presence,
    Reference,
    Standing,
    StudyRef,
    Track,
    Withheld,
    Words,
)


def encode_findings(findings: Findings) -> str:
    """Write findings as JSON."""
    bare = replace(
        findings,
        evidence=tuple(replace(item, preview=None) for item in findings.evidence),
        pictures=(),
    )
    return json.dumps(asdict(bare), sort_keys=True)


def decode_findings(text: str) -> Findings:
    """Read findings from JSON."""
    tree = json.loads(text)
    return Findings(
        title=tree["title"],
        model=_model(tree["model"]),
        measurements=tuple(_measurement(item) for item in tree["measurements"]),
        assessments=tuple(_assessment(item) for item in tree["assessments"]),
        classification=_classification(tree.get("classification")),
        evidence=tuple(_evidence(item) for item in tree["evidence"]),
        exclusions=tuple(
            Exclusion(
                InstanceRef(**item["instance"]),
                Code(**item["reason"]),
                item["detail"],
                StudyRef(**item.get("study", {})),
            )
            for item in tree["exclusions"]
        ),
        cautions=tuple(tree.get("cautions", ())),
        limitations=tuple(tree["limitations"]),
        abstention=tree["abstention"],
        familiarity=_familiarity(tree.get("familiarity")),
        grades=tuple(_grade(item) for item in tree.get("grades", ())),
        withheld=tuple(
            Withheld(**item | {"concept": Code(**item["concept"])})
            for item in tree.get("withheld", ())
        ),
        words=_words(tree.get("words", {})),
        course=_course(tree.get("course")),
        quiet=tree.get("quiet", False),
    )


def _model(item: dict[str, Any]) -> ModelCard:
    words = {key: tuple(item.get(key, ())) for key in ("parameters", "remarks", "preparing")}
    return ModelCard(**item | words | {"standing": Standing(item["standing"])})


def _measurement(item: dict[str, Any]) -> Measurement:
    codes = {key: _code(item[key]) for key in ("concept", "unit", "site", "equivalent")}
    model_range = item.get("model_range")
    return Measurement(**item | codes | {"model_range": model_range and tuple(model_range)})


def _assessment(item: dict[str, Any]) -> Assessment:
    changed = {"concept": _code(item["concept"]), "presence": Presence(item["presence"])}
    return Assessment(**item | changed)


def _classification(item: dict[str, Any] | None) -> Classification | None:
    if item is None:
        return None
    codes = {"concept": _code(item["concept"]), "value": _code(item["value"])}
    return Classification(**item | codes)


def _familiarity(item: dict[str, Any] | None) -> Familiarity | None:
    return Familiarity(**item) if item else None


def _grade(item: dict[str, Any]) -> Grade:
    changed = {
        "concept": Code(**item["concept"]),
        "scale": tuple(Code(**step) for step in item["scale"]),
        "level": _code(item["level"]),
        "votes": tuple((name, Code(**level)) for name, level in item["votes"]),
    }
    return Grade(**item | changed)


def _course(item: dict[str, Any] | None) -> Course | None:
    if item is None:
        return None
    return Course(StudyRef(**item["study"]), tuple(_track(each) for each in item["tracks"]))


def _track(item: dict[str, Any]) -> Track:
    points = tuple(
        Point(StudyRef(**each["study"]), _measurement(each["estimate"]), each["comparable"])
        for each in item["earlier"]
    )
    references = tuple(
        Reference(**each | {"unit": Code(**each["unit"])}) for each in item["references"]
    )
    return Track(_measurement(item["present"]), points, item["changed"], references)


def _words(item: dict[str, Any]) -> Words:
    """Findings that were stored without words of their own get the general ones."""
    return Words(**item | {key: _code(item.get(key)) for key in ("finding", "procedure")})


def _evidence(item: dict[str, Any]) -> Evidence:
    changed = {
        "instance": InstanceRef(**item["instance"]),
        "frames": tuple(item["frames"]),
        "notes": tuple(item["notes"]),
        "channels": tuple((group, channel) for group, channel in item.get("channels", ())),
    }
    return Evidence(**item | changed)


def _code(item: dict[str, str] | None) -> Code | None:
    return Code(**item) if item else None
