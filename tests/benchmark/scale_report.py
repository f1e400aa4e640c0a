"""What the benchmark of scale found, as Markdown and as one plot."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

from tests.benchmark.measuring import Figure

mpl.use("Agg")
import matplotlib.pyplot as plt

LIMIT_MS = 50
NAMES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, slots=True)
class Results:
    """Times in ms, rates in instances/s, and the operations whose cost grows with a table."""

    times: list[Figure]
    rates: list[Figure]
    growing: list[str]


def p95(figure: Figure) -> float:
    """What 95 of 100 runs stay within."""
    return statistics.quantiles(figure.values, n=20, method="inclusive")[-1]


def report(results: Results, sizes: tuple[int, int], runs: int, where: Mapping[str, str]) -> str:
    """The section of the README: one line per operation, one table per question."""
    small, large = sizes
    over = [figure for figure in results.times if p95(figure) > LIMIT_MS]
    return "\n".join(
        [
            "## Scale",
            "",
            (
                f"`python -m tests.benchmark.scale`: {large:,} studies of 50 instances; {runs} "
                "runs of each operation in turn, each a transaction of its own, its commit synced."
            ),
            ", ".join(f"{key} {value}" for key, value in where.items()) + ".",
            "",
            (
                "Milliseconds, median / p95. The ratio is that of the medians to those of a "
                f"database with {small:,} studies."
            ),
            "",
            *_times(results.times, small, large),
            "",
            f"Over {LIMIT_MS} ms at p95: {_names(over)}.",
            (
                "Operations that read a whole table or index before ANALYZE: "
                f"{', '.join(results.growing) or 'none'}."
            ),
            "",
            "Recording instances, instances/s, median:",
            "",
            *_rates(results.rates, large),
            "",
            "![times](scale.png)",
        ]
    )


def _times(times: Sequence[Figure], small: int, large: int) -> list[str]:
    by = {(figure.workload, figure.contestant): figure for figure in times}
    heads = [f"{name} | after ANALYZE | ratio" for name in NAMES]
    lines = [f"| | {' | '.join(heads)} |", "| --- " + "| ---: " * 6 + "|"]
    for workload in dict.fromkeys(figure.workload for figure in times):
        cells = []
        for name in NAMES:
            before, after = (
                by[workload, f"{name}, {large}"],
                by[workload, f"{name}, {large}, ANALYZE"],
            )
            ratio = after.median / by[workload, f"{name}, {small}, ANALYZE"].median
            cells += [_cell(before), _cell(after), f"{ratio:.2f}"]
        lines.append(f"| {workload} | {' | '.join(cells)} |")
    return lines


def _rates(rates: Sequence[Figure], large: int) -> list[str]:
    lines = [f"| | {' | '.join(NAMES)} |", "| --- | ---: | ---: |"]
    by = {(figure.workload, figure.contestant): figure.median for figure in rates}
    for workload in dict.fromkeys(figure.workload for figure in rates):
        cells = [f"{by[workload, f'{name}, {large}']:.0f}" for name in NAMES]
        lines.append(f"| {workload} | {' | '.join(cells)} |")
    return lines


def _cell(figure: Figure) -> str:
    return f"{figure.median:.1f} / {p95(figure):.1f}"


def _names(figures: Sequence[Figure]) -> str:
    found = [f"{figure.workload} ({figure.contestant}: {p95(figure):.0f})" for figure in figures]
    return ", ".join(found) or "none"


def plot(path: Path, times: Sequence[Figure], large: int) -> None:
    """Each operation's p95 at the large size, on a logarithmic scale, with the limit."""
    workloads = list(dict.fromkeys(figure.workload for figure in times))
    drawing, panel = plt.subplots(figsize=(9, 0.24 * len(workloads) + 1.5))
    for name, mark in zip(NAMES, "os", strict=True):
        shown = [figure for figure in times if figure.contestant == f"{name}, {large}, ANALYZE"]
        panel.plot([p95(figure) for figure in shown], workloads, mark, label=name)
    panel.axvline(LIMIT_MS, color="grey", linestyle="--")
    panel.set_xscale("log")
    panel.set_xlabel(f"p95, ms, {large:,} studies")
    panel.invert_yaxis()
    panel.tick_params(labelsize=8)
    panel.legend()
    drawing.tight_layout()
    drawing.savefig(path, dpi=100)
    plt.close(drawing)
