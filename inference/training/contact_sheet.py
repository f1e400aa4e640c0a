"""The paper's Figure 3 as a picture: the loops at both ends of the attention, one frame of each.

It is no part of the report: it shows patients' images, and the report may be passed on.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inference.training.cohort.reading import read_cohort
from inference.training.evaluation.attention import Attention
from inference.training.exams import Exams, open_exams
from inference.training.output import write_whole
from inference.training.run import read_run

NAME = "attention_loops.png"
_COLUMNS = 8


def draw_extreme_loops(found: Attention, run: Path, cohort: Path, frames: Path, out: Path) -> Path:
    """Draw the test loops of highest and lowest attention into the folder `out`.

    `found` is what the evaluation of the run says of them; `cohort` and `frames` are the run's.

    Raises:
        TrainingDataError: there is no run, or its frames are not cached.
    """
    size = read_run(run).recipe.frame_size_px
    exams = open_exams(read_cohort(cohort), frames, split="test", size=size)
    ends = {"Highest": found.highest, "Lowest": found.lowest}
    picture = _sheet(ends, _first_frames(ends, exams))
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=150, metadata={"Software": None})
    write_whole(out / NAME, content.getvalue())
    return out / NAME


def _first_frames(
    ends: Mapping[str, pd.DataFrame], exams: Exams
) -> dict[tuple[str, str], NDArray[np.uint8]]:
    """Exam and loop -> the loop's first evaluation frame, (S, S)."""
    wanted = {
        (str(exam_id), str(loop))
        for rows in ends.values()
        for exam_id, loop in zip(rows["exam_id"], rows["loop"], strict=True)
    }
    of_exams = {exam_id for exam_id, _ in wanted}
    found = {}
    for each in exams:
        if each.exam.exam_id in of_exams:
            for number in range(len(each.loops)):
                key = (each.exam.exam_id, f"L{number + 1:02}")  # as `predict` calls it
                if key in wanted:
                    found[key] = np.array(each.frames[number, 0])
    return found


def _sheet(
    ends: Mapping[str, pd.DataFrame], frames: Mapping[tuple[str, str], NDArray[np.uint8]]
) -> Figure:
    rows_of = {end: max(1, -(-len(rows) // _COLUMNS)) for end, rows in ends.items()}
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.95 * sum(rows_of.values())), layout="constrained")
    parts = figure.subfigures(len(ends), 1, height_ratios=list(rows_of.values()), squeeze=False)
    for part, (end, rows) in zip(parts.ravel(), ends.items(), strict=True):
        part.suptitle(f"{end} raw attention, one loop of an exam", fontsize=9)
        axes = part.subplots(rows_of[end], _COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.axis("off")
        for axis, (_, row) in zip(axes, rows.iterrows(), strict=False):
            frame = frames.get((str(row["exam_id"]), str(row["loop"])))
            if frame is not None:
                axis.imshow(frame, cmap="gray", vmin=0, vmax=255)
            told = " ".join(filter(None, (str(row["view"]), str(row["quality"]))))
            axis.set_title(f"{row['score']:.2f} {told}", fontsize=6)
    return figure
