"""Following the traces of a page from left to right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, label

from inference.ecg.page.upright import PX, Ink

#: What it costs a trace to be away for a column, and each pixel by which its ends move.
_ABSENCE, _MOVEMENT = 2.0, 0.005

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Traces:
    """For each row and column: upper and lower end of the ink that is the row's trace.

    Pixels between which the threshold is met, (rows, columns); NaN where the row has no ink.
    `shared` are the places where another row follows the same ink.
    """

    top: _Floats
    bottom: _Floats
    shared: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Runs:
    """Vertical runs of ink: those of column x are `first[x]` to `first[x + 1]`."""

    first: NDArray[np.int64]
    top: _Floats
    bottom: _Floats

    def of(self, column: int) -> tuple[_Floats, _Floats]:
        here = slice(self.first[column], self.first[column + 1])
        return self.top[here], self.bottom[here]


def follow(ink: Ink, levels: NDArray[np.float64]) -> Traces:
    """The way of least jumps through the ink for each row, which begins at its level (pixels)."""
    runs = _runs(ink)
    columns = len(runs.first) - 1
    state, origins = _forward(runs, levels, columns)
    chosen = np.full((len(levels), columns), -1)
    rows = np.arange(len(levels))
    for column in range(columns - 1, -1, -1):
        count = runs.first[column + 1] - runs.first[column]
        present = state < count
        chosen[present, column] = runs.first[column] + state[present]
        state = origins[column][rows, state]
    top = np.where(chosen >= 0, runs.top[chosen], np.nan)
    bottom = np.where(chosen >= 0, runs.bottom[chosen], np.nan)
    return Traces(top, bottom, _shared(chosen))


def foreign_mm2(ink: Ink, traces: Traces, columns: slice) -> float:
    """The largest piece of ink that hangs together with traces and is none of them: writing."""
    inked = ink.dark[:, columns] > ink.threshold
    parts, _ = label(inked, np.ones((3, 3)))
    rows = np.arange(inked.shape[0])[:, None]
    rest = inked.copy()
    touched: set[int] = set()
    for top, bottom in zip(traces.top[:, columns], traces.bottom[:, columns], strict=True):
        of_trace = inked & (rows >= np.floor(top)) & (rows <= np.ceil(bottom))
        touched.update(np.unique(parts[of_trace]).tolist())
        rest &= ~of_trace
    rest &= np.isin(parts, list(touched - {0}))
    pieces, count = label(binary_opening(rest, np.ones((2, 2))))
    return float(np.bincount(pieces.ravel(), minlength=2)[1:].max()) / PX**2 if count else 0.0


def _forward(
    runs: _Runs, levels: NDArray[np.float64], columns: int
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The best state of the last column, and of each column which state each state came from.

    The states of a column are its runs and, after them, that the trace is away.
    """
    top = bottom = levels[:, None].astype(float)
    cost = np.zeros((len(levels), 1))
    rows = np.arange(len(levels))
    origins: list[NDArray[np.int64]] = []
    for column in range(columns):
        new_top, new_bottom = runs.of(column)
        away = cost.argmin(axis=1)
        jump = np.maximum(new_top - bottom[..., None], top[..., None] - new_bottom)
        moved = np.abs(new_top - top[..., None]) + np.abs(new_bottom - bottom[..., None])
        total = cost[..., None] + np.maximum(jump, 0) + _MOVEMENT * moved
        origins.append(np.column_stack([total.argmin(axis=1), away]))
        count = len(new_top)
        arrived = np.empty((3, len(levels), count + 1))
        arrived[0, :, :count], arrived[0, :, count] = new_top, top[rows, away]
        arrived[1, :, :count], arrived[1, :, count] = new_bottom, bottom[rows, away]
        arrived[2, :, :count], arrived[2, :, count] = total.min(axis=1), cost[rows, away] + _ABSENCE
        top, bottom, cost = arrived
    return cost.argmin(axis=1), origins


def _runs(ink: Ink) -> _Runs:
    """All runs, column by column; their ends lie where the darkness crosses the threshold."""
    dark = np.pad(ink.dark.T, ((0, 0), (1, 1)))
    inside = dark > ink.threshold
    edges = np.diff(inside.astype(np.int8), axis=1)
    x_top, y_top = np.nonzero(edges == 1)
    x_bottom, y_bottom = np.nonzero(edges == -1)
    top = y_top + _crossing(dark[x_top, y_top], dark[x_top, y_top + 1], ink.threshold)
    bottom = y_bottom + _crossing(
        dark[x_bottom, y_bottom], dark[x_bottom, y_bottom + 1], ink.threshold
    )
    counts = np.bincount(x_top, minlength=len(dark))
    return _Runs(np.concatenate([[0], counts.cumsum()]), top - 1, bottom - 1)


def _crossing(before: NDArray[np.float32], after: NDArray[np.float32], level: float) -> _Floats:
    """Where between two pixels the level is met, 0..1."""
    step = (after - before).astype(np.float64)
    crossing: _Floats = (level - before) / step
    return crossing


def _shared(chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    shared = np.zeros(chosen.shape, bool)
    for upper in range(len(chosen)):
        for lower in range(upper + 1, len(chosen)):
            same = (chosen[upper] == chosen[lower]) & (chosen[upper] >= 0)
            shared[upper] |= same
            shared[lower] |= same
    return shared
