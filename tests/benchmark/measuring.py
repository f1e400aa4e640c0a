"""Benchmarks that travel: runs taken in turn, medians with their spread, ratios, JSON, a plot.

On a shared machine absolute figures say little. Contestants therefore take turns within each round,
the order changes from round to round, and what is reported is the ratio of medians.
"""

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


@dataclass(frozen=True, slots=True)
class Figure:
    """What one contestant reached at one workload; higher is better."""

    workload: str
    contestant: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The lowest and the highest run."""
        return f"{_short(min(self.values))}..{_short(max(self.values))}"


def interleave(
    workload: str, unit: str, rounds: int, contestants: Mapping[str, Callable[[], float]]
) -> list[Figure]:
    """Let each contestant run once a round, starting with another one each round."""
    names = list(contestants)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(contestants[name]())
            print(f"{workload}: {name} {_short(values[name][-1])} {unit}", flush=True)  # noqa: T201 - a command
    return [Figure(workload, name, unit, tuple(taken)) for name, taken in values.items()]


def table(figures: Sequence[Figure], subject: str) -> str:
    """A Markdown table of one workload: medians, spread, and the ratio of the subject to each."""
    ours = next(figure for figure in figures if figure.contestant == subject)
    lines = [
        f"| {figures[0].workload} | {ours.unit} | lowest..highest | {subject} / it |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {figure.contestant} | {_short(figure.median)} | {figure.spread} "
        f"| {ours.median / figure.median:.2f} |"
        for figure in figures
    ]
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """Where and when, how busy it was the minute before, and whether we ran before all others.

    On a machine shared with other work every wait costs a scheduler's tick (4 ms); run there as
    `chrt -r 1 python -m ...`.
    """
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} x {model}",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "scheduling": _SCHEDULING.get(os.sched_getscheduler(0), "special"),
    }


def write_json(path: Path, where: Mapping[str, str], figures: Sequence[Figure]) -> None:
    """Every single run, for whoever wants to look closer."""
    rows = [asdict(figure) | {"median": figure.median} for figure in figures]
    path.write_text(json.dumps({"machine": dict(where), "figures": rows}, indent=1) + "\n")


def write_section(readme: Path, name: str, text: str) -> None:
    """Replace what stands between the two marks of a section; add the section where it is not."""
    begin, end = f"<!-- {name}: written by its command -->", f"<!-- {name}: end -->"
    whole = readme.read_text() if readme.exists() else "# Benchmarks\n"
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin not in whole:
        whole = f"{whole.rstrip()}\n\n{begin}\n{end}\n"
    head, _, rest = whole.partition(begin)
    readme.write_text(head + section + rest.partition(end)[2])


def plot(path: Path, title: str, figures: Sequence[Figure]) -> None:
    """One panel per workload, one bar per contestant; whiskers span the lowest to the highest."""
    workloads = list(dict.fromkeys(figure.workload for figure in figures))
    drawing, panels = plt.subplots(
        len(workloads), 1, figsize=(9, 1.1 + 1.5 * len(workloads)), squeeze=False
    )
    for workload, panel in zip(workloads, panels[:, 0], strict=True):
        shown = [figure for figure in figures if figure.workload == workload]
        medians = [figure.median for figure in shown]
        whiskers = (
            [figure.median - min(figure.values) for figure in shown],
            [max(figure.values) - figure.median for figure in shown],
        )
        panel.barh([figure.contestant for figure in shown], medians, xerr=whiskers, color="#4878a8")
        panel.invert_yaxis()
        panel.set_title(f"{workload}, {shown[0].unit}", fontsize=9, loc="left")
        panel.tick_params(labelsize=8)
    drawing.suptitle(title)
    drawing.tight_layout()
    drawing.savefig(path, dpi=100)
    plt.close(drawing)


#: Children inherit it.
_SCHEDULING = {os.SCHED_OTHER: "ordinary", os.SCHED_RR: "real-time (chrt -r)"}


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
