"""How well ECG pages are read: `python -m tests.benchmark.ecg_pages`.

Synthetic pages, of which the samples are known, by what printing and scanning did to them. A page
is read rightly, excluded with a reason, or read wrongly in silence: that must not happen.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from inference.ecg.leads import Leads
from inference.ecg.page.layouts import SIX_BY_TWO, THREE_BY_FOUR, TWELVE_BY_ONE
from inference.ecg.page.reading import Page, read_page
from inference.errors import InstanceExcludedError
from inference.phantom.ecg import draw_ecg
from inference.phantom.ecg.pages.decoys import PageDecoy, page_decoy
from inference.phantom.ecg.pages.drawing import Paper, Pixels, Style, draw_page
from inference.phantom.ecg.pages.wear import Wear, worn
from inference.phantom.patients import draw_patient
from inference.phantom.presets import PRESETS

#: A page is read rightly if each lead differs from what was printed by at most so many mV RMS, and
#: this share of its height from peak to peak; and in time by so many mm.
TOLERANCE_MV, TOLERANCE_SHARE, TOLERANCE_MM = 0.05, 0.03, 1.0

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one page; errors are those of its worst lead."""

    excluded: str = ""
    rms_mv: float = 0.0
    allowed: float = 0.0
    """RMS as a share of what is tolerated."""
    correlation: float = 1.0
    late_mm: float = 0.0
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return not self.excluded and self.allowed <= 1 and self.late_mm <= TOLERANCE_MM


def _clean(rng: Rng) -> tuple[Style, Wear]:
    layout = (THREE_BY_FOUR, THREE_BY_FOUR, SIX_BY_TWO, TWELVE_BY_ONE)[rng.integers(4)]
    strips = {THREE_BY_FOUR: ((), (1,), (1, 6, 10)), SIX_BY_TWO: ((), (1,))}.get(layout, ((),))
    paper = (Paper.RED, Paper.ORANGE, Paper.BLUE, Paper.GREY)[rng.integers(4)]
    style = Style(
        layout=layout,
        strips=strips[rng.integers(len(strips))],
        paper=paper,
        px_per_mm=float(rng.choice([6.0, 8.0, 10.0])),
        pen_mm=float(rng.uniform(0.25, 0.45)),
        separators=bool(rng.random() < 0.5),
    )
    return style, Wear()


def _with(**changes: object) -> Callable[[Rng], tuple[Style, Wear]]:
    def case(rng: Rng) -> tuple[Style, Wear]:
        style, wear = _clean(rng)
        drawn = {name: value(rng) if callable(value) else value for name, value in changes.items()}
        of_style = {name: value for name, value in drawn.items() if hasattr(style, name)}
        of_wear = {name: value for name, value in drawn.items() if hasattr(wear, name)}
        return replace(style, **of_style), replace(wear, **of_wear)

    return case


def _skew(rng: Rng) -> float:
    return float(rng.uniform(-5, 5))


CASES: Mapping[str, Callable[[Rng], tuple[Style, Wear]]] = {
    "clean": _clean,
    "50 mm/s": _with(mm_per_s=50.0, width_mm=500.0, layout=THREE_BY_FOUR, strips=(1,)),
    "50 mm/s, 6 x 2": _with(mm_per_s=50.0, layout=SIX_BY_TWO, strips=()),
    "5 mm/mV": _with(mm_per_mv=5.0),
    "20 mm/mV": _with(mm_per_mv=20.0, layout=THREE_BY_FOUR, strips=(1,)),
    "skew": _with(skew_degrees=_skew),
    "100 dpi": _with(px_per_mm=8.0, scale=0.5),
    "JPEG 40": _with(jpeg_quality=40),
    "blur": _with(blur_px=lambda rng: float(rng.uniform(0.8, 2.0))),
    "grey scan": _with(grey=True, noise=6.0, skew_degrees=_skew),
    "folds, shade": _with(folds=3, shade=0.35),
    "blue pen": _with(strokes=8),
    "black pen": _with(strokes=4, black_strokes=True),
    "all at once": _with(
        skew_degrees=_skew, folds=2, shade=0.25, strokes=2, blur_px=0.8, noise=5.0, jpeg_quality=60
    ),
}


def ecg(rng: Rng) -> Leads:
    """Any patient's leads, (12, 5000) in mV at 500 Hz."""
    state = draw_patient(1, int(rng.integers(1, 10_000)), 0).truth
    return draw_ecg(state, rng, PRESETS["realistic"]).leads[:, ::2]


def judge(pixels: Pixels, leads: Leads, style: Style) -> Outcome:
    """Read a page and compare it with the leads (mV at 500 Hz) that were printed on it."""
    started = time.process_time()
    try:
        page = read_page(pixels)
    except InstanceExcludedError as error:
        return Outcome(excluded=error.verdict.rule, seconds=time.process_time() - started)
    seconds = time.process_time() - started
    if (page.layout, page.mm_per_mv, page.mm_per_s) != (
        style.layout.name,
        style.mm_per_mv,
        style.mm_per_s,
    ):
        return Outcome(rms_mv=np.inf, allowed=np.inf, correlation=0.0, seconds=seconds)
    errors = np.array(list(_errors(page, leads)))
    late_mm = errors[:, 2].max() * style.mm_per_s
    tolerated = TOLERANCE_MV + TOLERANCE_SHARE * np.ptp(leads, axis=1)
    allowed = float((errors[:, 0] / tolerated).max())
    return Outcome("", errors[:, 0].max(), allowed, errors[:, 1].min(), late_mm, seconds)


def _errors(page: Page, leads: Leads) -> Iterator[tuple[float, float, float]]:
    """Of each lead: RMS of the difference in mV, correlation, and shift in s."""
    for read, printed in zip(page.leads, leads, strict=True):
        here = np.flatnonzero(~np.isnan(read))
        one, other = read[here] - read[here].mean(), printed[here] - printed[here].mean()
        shifts = range(-30, 31)
        alike = [np.corrcoef(one[30:-30], np.roll(other, by)[30:-30])[0, 1] for by in shifts]
        late = abs(shifts[int(np.argmax(alike))]) / 500
        yield float(np.std(one - other)), float(np.corrcoef(one, other)[0, 1]), late


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=20, help="pages of each kind")
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    arguments = parser.parse_args()
    print(  # noqa: T201 - a command
        "| pages | right | excluded | wrong in silence | RMS, mV: median, most | correlation: "
        "median, least | late, mm: most | s |\n|---|---|---|---|---|---|---|---|"
    )
    for name, case in CASES.items():
        if arguments.only in name:
            print(_row(name, list(_outcomes(case, arguments.pages))), flush=True)  # noqa: T201 - a command
    if arguments.only in "decoys":
        print(_decoys(arguments.pages))  # noqa: T201 - a command


def _outcomes(case: Callable[[Rng], tuple[Style, Wear]], pages: int) -> Iterator[Outcome]:
    for number in range(pages):
        rng = np.random.default_rng([number, 7])
        leads = ecg(rng)
        style, wear = case(rng)
        yield judge(worn(draw_page(leads, style), wear, rng), leads, style)


def _row(name: str, outcomes: list[Outcome]) -> str:
    read = [one for one in outcomes if not one.excluded]
    wrong = sum(not one.right for one in read)
    reasons = Counter(one.excluded for one in outcomes if one.excluded)
    why = ", ".join(f"{rule} {count}" for rule, count in reasons.items())
    rms, alike = [one.rms_mv for one in read] or [0], [one.correlation for one in read] or [0]
    late = max((one.late_mm for one in read), default=0)
    seconds = np.median([one.seconds for one in outcomes])
    return (
        f"| {name} | {sum(one.right for one in read)} of {len(outcomes)} | {why or 0} | {wrong} "
        f"| {np.median(rms):.3f}, {max(rms):.3f} | {np.median(alike):.3f}, {min(alike):.3f} "
        f"| {late:.2f} | {seconds:.2f} |"
    )


def _decoys(pages: int) -> str:
    """What no page is excluded by, and how often one was read all the same."""
    lines = []
    for kind in PageDecoy:
        reasons: Counter[str] = Counter()
        for number in range(max(pages // 4, 1)):
            rng = np.random.default_rng([number, 9])
            outcome = judge(page_decoy(kind, ecg(rng), rng), np.zeros((12, 5000)), Style())
            reasons[outcome.excluded or "READ"] += 1
        found = ", ".join(f"{rule} {count}" for rule, count in reasons.items())
        lines.append(f"decoy {kind}: {found}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
