"""What manifests of earlier formats said in other words.

Format 2 states by which profile the loops were selected; those of format 1 were by the paper.
Format 3 states how loops unlike those of the training are known; absent: nobody can tell.
Format 4 tells values, grades and presence apart, calls the patients that a bundle is for its
population, and holds a self-test; without one, a node cannot notice that it computes otherwise.
Format 5 says what is fed to the networks: loops, which were all before it, ECGs, or films.
"""

from collections.abc import Mapping
from typing import Any

FORMAT_VERSION = 5
#: The first in which targets have kinds, and the first in which inputs have.
_KINDS, _INPUTS = 4, 5


def as_today(document: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest's document in the words of today's format, whatever is wrong with the rest."""
    today = dict(document)
    if document["format_version"] >= _INPUTS:
        return today
    if isinstance(fed := today.get("preprocessing"), dict):
        today["preprocessing"] = {"input": "loops", **fed}
    if document["format_version"] >= _KINDS:
        return today
    if "ages" in today:
        today["population"] = today.pop("ages")
    if isinstance(targets := today.get("targets"), list):
        today["targets"] = [
            {"kind": "value", **item} if isinstance(item, dict) else item for item in targets
        ]
    return today
