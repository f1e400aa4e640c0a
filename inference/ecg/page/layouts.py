"""How the twelve leads stand on a page."""

from dataclasses import dataclass

from inference.ecg.leads import LEADS


@dataclass(frozen=True, slots=True)
class Layout:
    """`rows` are the leads of each row, from left to right; each row begins where the last column
    has ended in time. Up to `strips` rows of one lead each may stand below: the rhythm.
    """

    name: str
    rows: tuple[tuple[int, ...], ...]
    strips: int

    @property
    def columns(self) -> int:
        """How many leads stand beside each other."""
        return len(self.rows[0])


def _layout(name: str, rows: int, strips: int) -> Layout:
    leads = range(len(LEADS))
    return Layout(name, tuple(tuple(leads[row::rows]) for row in range(rows)), strips)


THREE_BY_FOUR = _layout("3 x 4", 3, strips=3)
SIX_BY_TWO = _layout("6 x 2", 6, strips=1)
TWELVE_BY_ONE = _layout("12 x 1", 12, strips=1)
LAYOUTS = (THREE_BY_FOUR, SIX_BY_TWO, TWELVE_BY_ONE)
