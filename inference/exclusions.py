"""Why an instance takes no part, for reasons that no single pipeline owns."""

from collections.abc import Mapping, Sequence

from inference.types import Code, InstanceRef, Rejected, Verdict

#: Coding scheme of all codes that this node defines.
SCHEME = "99ECHONODE"


def reason(value: str, meaning: str) -> Code:
    """One of the node's own codes of why an instance takes no part."""
    return Code(value, SCHEME, meaning)


def rejection(
    instance: InstanceRef, verdicts: Sequence[Verdict], reasons: Mapping[str, Code]
) -> Rejected | None:
    """What rules make of an instance: the first that fails is the reason; None: all passed.

    `reasons` has one code per rule.
    """
    failed = next((verdict for verdict in verdicts if not verdict.passed), None)
    if failed is None:
        return None
    return Rejected(instance, tuple(verdicts), reasons[failed.rule], failed.detail)


NOT_DECODABLE = reason("NOT_DECODABLE", "Pixel data cannot be decoded")
PATIENT_DIFFERS = reason("PATIENT_DIFFERS", "Patient differs from rest of study")
FILES_REMOVED = reason("FILES_REMOVED", "Pixel data no longer kept")
NO_ESTIMATE = reason("NO_ESTIMATE", "Selected; no estimate from this study")
#: Detail of an exclusion for NO_ESTIMATE.
UNUSED = "selected, but no estimate was made"
NOT_ANALYSED = reason("NOT_ANALYSED", "Could not be analysed")
UNFAMILIAR = reason("UNFAMILIAR", "Unlike anything the model was trained on")
