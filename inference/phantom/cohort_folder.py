"""The folder of a phantom cohort: one folder per study, each whole or not there, and two tables."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

RECIPE, LABELS, TRUTH = "phantom.json", "labels.csv", "truth.csv"

Row = dict[str, object]
#: Writes the files of one study into an empty folder; picklable.
WriteStudy = Callable[[Path], None]


def claim(out: Path, facts: Mapping[str, object]) -> None:
    """Make `out` the folder of the cohort that follows from these facts, or see that it is.

    Raises:
        FileExistsError: `out` holds something else, or a phantom of other facts.
    """
    mine = json.dumps(facts, indent=2) + "\n"
    noted = out / RECIPE
    if noted.exists():
        if noted.read_text() != mine:
            raise FileExistsError(f"{out} holds a phantom of other arguments; see its {RECIPE}")
        for partial in out.glob(".*.partial"):
            if partial.is_dir():
                shutil.rmtree(partial)
        return
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty and holds no phantom; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    _replace(noted, mine)


def write_cohort(
    out: Path,
    studies: Mapping[str, WriteStudy],
    labels: Iterable[Row],
    truth: Iterable[Row],
    jobs: int,
    on_progress: Callable[[int, int], None] | None,
) -> Path:
    """Write studies by the names of their folders, in processes where there are several jobs.

    Studies that are there are kept. `on_progress(done, total)` is called after each; then the two
    tables are written.
    """
    for done, _ in enumerate(_written(out, studies, jobs), start=1):
        if on_progress is not None:
            on_progress(done, len(studies))
    _write_csv(out / LABELS, labels)
    _write_csv(out / TRUTH, truth)
    return out


def _written(out: Path, studies: Mapping[str, WriteStudy], jobs: int) -> Iterator[None]:
    if jobs == 1:
        for name, write in studies.items():
            _write_whole(out / name, write)
            yield
        return
    spawn = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_end_with_parent) as pool:
        futures = [pool.submit(_write_whole, out / name, write) for name, write in studies.items()]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent is killed; a pool alone would wait for work forever."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


def _write_whole(folder: Path, write: WriteStudy) -> None:
    if folder.exists():
        return
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir()
    write(partial)
    partial.rename(folder)


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows of the same columns; the file appears whole or not at all."""
    remaining = iter(rows)
    first = next(remaining)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(first), lineterminator="\n")
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(remaining)
    partial.replace(path)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)
