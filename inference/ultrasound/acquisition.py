"""How a clip was taken: through the chest wall, at rest and without contrast, as in the paper."""

import re
from collections.abc import Iterator, Mapping

from pydicom import Dataset

from inference.dicom.elements import integer, items, text
from inference.exclusions import reason
from inference.types import Code, Verdict
from inference.ultrasound.regions import Region
from inference.ultrasound.statements import (
    Statement,
    of_transducer,
    quote,
    saying,
    set_by_cart,
    stage,
    stages_only,
    written,
)
from inference.ultrasound.vocabulary import (
    CONTRAST,
    INTERNAL,
    REST,
    STAGE,
    STRESS,
    TRANSTHORACIC,
    WITHOUT_CONTRAST,
    Vocabulary,
)

REASONS: Mapping[str, Code] = {
    "transthoracic": reason(
        "TRANSOESOPHAGEAL", "Transoesophageal echocardiography or other internal probe"
    ),
    "at_rest": reason("STRESS", "Stress echocardiography"),
    "no_contrast": reason("CONTRAST_AGENT", "Ultrasound contrast agent"),
}

#: Transducer Type (PS3.3 C.8.5.5.1.3): endocavitary and intravascular ones.
_INTERNAL_TYPE = re.compile(r"^(ENDOCAV|IV_)")
#: X8-2t, S7-3t (Philips); 6T-RS, 6VT-D, 6Tc, 9T (GE); V5Ms, V7M, Z6Ms (Siemens); PET-512 (Canon).
_INTERNAL_MODEL = re.compile(
    r"(?<![A-Z0-9])([SX]\d+[-_]\d+T|\d+V?TC?(-RS|-D)?|V[57]MS?|Z6MS?|Z6T|PET-\w+)(?![A-Z0-9])"
)
_NO_AGENT = Vocabulary("none, no, nil, kein, keines, aucun, ninguno, nessuno, 0")


def transthoracic(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: the probe was not within the body."""
    named = next(_signs_of_internal_probe(header), "")
    return Verdict("transthoracic", not named, named or "no internal probe named")


def at_rest(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: it belongs to no stress examination, or clearly to the rest before the stress.

    Clearly at rest is what Stage Name calls so, unless Stage Number counts a later stage
    (PS3.3 C.8.5.8).
    """
    named = next(saying(STRESS, [*written(header), *stage(header)]), "")
    named = named or next(saying(STAGE, map(_unglued, stages_only(header))), "")
    number, stages = integer(header, "StageNumber"), integer(header, "NumberOfStages") or 1
    staged = f"stage {number or '?'} of {stages}" if stages > 1 or (number or 0) > 1 else ""
    if not named and not staged:
        return Verdict("at_rest", True, "no stress test named")
    if (number is None or number <= 1) and any(map(_is_rest, stage(header))):
        return Verdict("at_rest", True, "rest stage of a stress echocardiogram, by Stage Name")
    return Verdict("at_rest", False, ", ".join(filter(None, [named, staged])))


def no_contrast(header: Dataset, _regions: tuple[Region, ...]) -> Verdict:
    """Rule: no contrast agent is named, under which tissue looks like something else."""
    agent = text(header, "ContrastBolusAgent")
    given = bool(agent and not _NO_AGENT.find(agent)) or bool(
        items(header, "ContrastBolusAgentSequence")
    )
    if given:
        return Verdict("no_contrast", False, "a contrast agent is named")
    said = [
        Statement(attribute, WITHOUT_CONTRAST.without(words))
        for attribute, words in [*written(header), *set_by_cart(header), *stage(header)]
    ]
    named = next(saying(CONTRAST, said), "")
    return Verdict("no_contrast", not named, named or "none named")


def _signs_of_internal_probe(header: Dataset) -> Iterator[str]:
    if text(header, "Modality") == "IVUS":
        yield "Modality is IVUS"
    for attribute, said in [*written(header), *set_by_cart(header)]:
        found = INTERNAL.find(said)
        if found and not TRANSTHORACIC.find(said):
            yield quote(attribute, found)
    for attribute, said in of_transducer(header):
        letters = said.upper()
        if (
            _INTERNAL_TYPE.search(letters)
            or INTERNAL.find(said)
            or (attribute == "Transducer Data" and _INTERNAL_MODEL.search(letters))
        ):
            yield f"{attribute} names an internal probe"


def _unglued(stage: Statement) -> Statement:
    """With blanks between numbers and their units, as in "20mcg" and "50W"."""
    return stage._replace(text=re.sub(r"(?<=\d)(?=[^\W\d])", " ", stage.text))


def _is_rest(stage: Statement) -> bool:
    """Such as "Baseline" or "Pre-Exercise", but not "Rest and Stress"."""
    return bool(REST.find(stage.text)) and not STRESS.find(REST.without(stage.text))
