"""What each other start or encoder brings against the paper's recipe, on the phantom.

    python -m tests.benchmark.starts [--cohort C --frames F] [--only NAME ...] FOLDER

Trains the recipes of RECIPES one after the other on one cohort, with one seed, and writes
`starts.md` into FOLDER: PCC and MAE of each target on the test split with 95 % intervals by
patient, and the paired difference to the first. Runs that are finished there are not trained again.
Without a cohort a phantom (easy, 250 exams) is made. Phantom figures say nothing about patients;
differences under 0.03 PCC are noise.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from inference.phantom import make
from inference.training.cohort import build, cache_frames, read_cohort
from inference.training.comparing import Compared, compare
from inference.training.fit import fit
from inference.training.recipe import Recipe
from inference.training.recipe_files import parse_recipe

EXAMS, SEED, SIZE_PX = 250, 1, 64

#: The paper's recipe at the phantom's scale; each of RECIPES changes one thing of it.
BASE = """
architecture = "resnet10_narrow"
frame_size_px = 64
optimisation.steps = 400
optimisation.validate_every_steps = 50
optimisation.learning_rate = 2e-3
optimisation.schedule = "one-cycle"
device.name = "cpu"
"""
HEADS = 'networks = [["mPAP", "PVR", "PAWP"]]\n'
PLAIN = HEADS + "pretraining.enabled = false\n"
PRETRAINED = HEADS + "pretraining = { epochs = 15, learning_rate = 1e-3 }\n"
RECIPES: Mapping[str, str] = {
    "paper": BASE + PLAIN,
    "pretrained": BASE + PRETRAINED,
    "one-network-a-target": BASE + "pretraining.enabled = false\n",
    "ensemble-of-two": BASE + PLAIN + "members = 2\n",
}


def recipe(name: str) -> Recipe:
    """One of RECIPES, at the phantom's scale."""
    return parse_recipe(f'name = "{name}"\n{RECIPES[name]}', name, Recipe)


def markdown(found: Sequence[Compared]) -> str:
    """A table a target: figures with intervals, and the paired difference to the first."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        rows = [each for each in found if each.target == target]
        head = ("PCC", "MAE", "PCC, difference", "MAE, difference")
        lines += [
            f"| {target}, {rows[0].exams} test exams | " + " | ".join(head) + " |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for each in rows:
            figures = [each.figures["pcc"].show(), each.figures["mae"].show()]
            against = [
                each.difference[name].show(3) if name in each.difference else "-"
                for name in ("pcc", "mae")
            ]
            first = each is rows[0]
            lines.append(
                "| " + " | ".join([each.run, *figures, *(["-"] * 2 if first else against)]) + " |"
            )
        lines.append("")
    return "\n".join(lines)


def material(folder: Path) -> tuple[Path, Path]:
    """A phantom's cohort and frames."""
    phantom, cohort, frames = (folder / name for name in ("phantom", "cohort", "frames"))
    make(phantom, exams=EXAMS, preset="easy", seed=SEED, size="small", jobs=2, decoys=False)
    build(phantom, phantom / "labels.csv", cohort, seed=SEED, jobs=2)
    cache_frames(read_cohort(cohort), frames, size=SIZE_PX, jobs=2)
    return cohort, frames


def main() -> None:
    """Train what is not trained yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohort", type=Path)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    cohort, frames = given.cohort, given.frames
    if cohort is None or frames is None:
        cohort, frames = material(given.folder)
    runs = []
    for name in given.only:
        run = given.folder / name
        fit(recipe(name), cohort, frames, run)
        runs.append(run)
        table = markdown(compare(runs, cohort, frames, split="test"))
        (given.folder / "starts.md").write_text(table, encoding="utf-8")
        print(f"{name} is trained", flush=True)  # noqa: T201 - a command
    print(table)  # noqa: T201 - a command


if __name__ == "__main__":
    main()
