"""What an examination says: one step after the other, each with its verdict."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a step went; LACKS: the node gets along without it; SKIPPED: it was not tried."""

    WORKS = "works"
    LACKS = "lacks"
    FAILS = "fails"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried.

    `advice` says what to change: "here" is this node, "there" the other system.
    """

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""


Steps = Iterator[Step]


def climb(*rungs: Callable[[], Iterable[Step]]) -> Steps:
    """Try one rung after the other, up to the first with a step that fails."""
    for rung in rungs:
        failed = False
        for step in rung():
            yield step
            failed = failed or step.verdict is Verdict.FAILS
        if failed:
            return


def summary(name: str, steps: Iterable[Step]) -> str:
    """One line on all steps, with the names of those that fail."""
    steps = list(steps)
    counts = Counter(step.verdict for step in steps)
    told = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    failed = dict.fromkeys(step.name for step in steps if step.verdict is Verdict.FAILS)
    named = f" ({', '.join(failed)})" if failed else ""
    return f"{name}: {', '.join(told) or 'nothing was tried'}{named}"
