"""The report on an ECG model: LS-EMVAE's tables, and what a reader must hold against them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from inference.training.cohort import looks
from inference.training.cohort.reading import read_cohort
from inference.training.cohort.scan import Progress, silent
from inference.training.ecg_ph import drawing
from inference.training.ecg_ph.judging import Judged, Output, judge
from inference.training.ecg_ph.predicting import PREFIX, load_model, predict, read_predictions
from inference.training.ecg_ph.run import RANDOM, SHUFFLED, read_run
from inference.training.evaluation import wording
from inference.training.evaluation.metrics import Figure
from inference.training.evaluation.report import write_page
from inference.training.evaluation.section import Drawing, Page, Section, Table
from inference.training.trained import weights_sha256

_TITLE = "How good is the ECG model?"
_FIGURES: Mapping[str, str] = {
    "auroc": "AUROC",
    "matthews": "Matthews' r",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
}
_CONTROLS: Mapping[str, str] = {
    RANDOM: "Encoder of random weights",
    SHUFFLED: "Labels of other patients",
}
_CALIBRATION: Mapping[str, str] = {
    "slope": "Slope (1: as stated; below: too sure)",
    "intercept": "Intercept, log odds",
    "in_the_large": "In the large, log odds",
    "brier": "Brier score",
}
#: Output -> as a reader calls it.
_TARGETS: Mapping[str, str] = {"PH": "PH", "postcapillary": "post-capillary"}
_LEADS: Mapping[str, str] = {"12-leads": "12 leads", "6-leads": "6 limb leads"}


def report(
    run: Path, cohort: Path, cache: Path, out: Path, *, on_progress: Progress = silent
) -> Path:
    """Predict, calibrate on validation, judge on test; write report.html, .pdf and figures.json.

    Raises:
        TrainingDataError: the run is not finished, or of another cohort or cache, or has too few
            validation exams to calibrate.
    """
    predict(run, cohort, cache, on_progress=on_progress)
    judged = judged_run(run, cohort, cache)
    return write_page(page(judged), figures(judged), out)


def judged_run(run: Path, cohort: Path, cache: Path) -> Judged:
    """Judge what was predicted of a run.

    Raises:
        TrainingDataError: nothing was predicted yet, or too few validation exams.
    """
    model = load_model(run, read_cohort(cohort), cache)
    counted = looks.read(cohort, weights_sha256({PREFIX: model}))
    return judge(read_run(run), run, read_predictions(run), counted)


def called(output: str) -> str:
    """An output as a reader calls it: "PH, 12 leads"."""
    target, _, leads = output.partition(".")
    return f"{_TARGETS[target]}, {_LEADS[leads]}"


def figures(judged: Judged) -> dict[str, Any]:
    """Every figure, for figures.json."""
    return {
        "recipe": judged.run.recipe.name,
        "cohort_sha256": judged.run.cohort.sha256,
        "exams": dict(judged.exams),
        "patients": dict(judged.patients),
        "reconstruction": judged.reconstruction,
        "outputs": {
            name: {
                "threshold": output.target.threshold,
                "figures": _numbers(output.figures),
                "calibration": _numbers(output.reliability.figures),
                "controls": _numbers(output.controls),
                "gained_over_random": None if output.gained is None else _number(output.gained),
                "cross_validation": list(output.folds),
            }
            for name, output in judged.outputs.items()
        },
    }


def page(judged: Judged) -> Page:
    """The report."""
    recipe = judged.run.recipe
    return Page(
        title=_TITLE,
        model=f"{recipe.name}, {recipe.architecture}, {recipe.signal}",
        counts=f"{judged.exams.get('test', 0)} test exams of {judged.patients.get('test', 0)} "
        "patients",
        warning=wording.WARNINGS[judged.run.cohort.standing],
        headline=[_headline(name, output) for name, output in judged.outputs.items()],
        caveats=list(_caveats(judged)),
        sections=[section for section in _sections(judged) if section is not None],
        method=list(_method(judged)),
    )


def _headline(name: str, output: Output) -> str:
    return f"{called(name)}: AUROC {output.figures['auroc'].show()}."


def _caveats(judged: Judged) -> Iterator[str]:
    yield (
        "PH is an mPAP above 20 mmHg. Post-capillary is a PAWP above 15 mmHg, and is asked only of "
        "those with PH."
    )
    idle = [
        called(name)
        for name, output in judged.outputs.items()
        if output.gained is not None and (output.gained.low or 0) <= 0
    ]
    if idle:
        yield (
            "Heads on an encoder that was never trained do about as well, so nothing here shows "
            f"that pre-training helps: {'; '.join(idle)}."
        )
    if judged.looks is not None and judged.looks.number > 1:
        yield (
            f"The test split was looked at {judged.looks.first} times with {judged.looks.number} "
            "models up to this one."
        )


def _sections(judged: Judged) -> Iterator[Section | None]:
    outputs = judged.outputs
    yield Section(
        title="Discrimination and decisions",
        text=[
            "On the test split; in brackets 95 % intervals, by patient.",
            "Decisions: at the threshold of the highest Matthews' correlation on validation.",
        ],
        parts=[
            _table(
                outputs,
                {
                    "Exams": lambda output: str(len(output.exams)),
                    "With it": lambda output: str(int(output.exams["label"].sum())),
                    **{title: _shown(key) for key, title in _FIGURES.items()},
                    "Threshold": lambda output: f"{output.target.threshold:.2f}",
                },
            ),
            Drawing("roc", "ROC curves; dots: decisions.", drawing.roc(outputs, called)),
        ],
    )
    yield _controls(judged)
    yield _folds(judged)
    yield Section(
        title="Can a probability be taken at its word?",
        parts=[
            _table(outputs, {title: _stated(key) for key, title in _CALIBRATION.items()}),
            Drawing(
                "reliability",
                "How often it was there, against the stated probability, in groups of exams of "
                "like probability; bars: 95 % intervals.",
                drawing.reliability(outputs, called),
            ),
        ],
    )
    yield _pretraining(judged)


def _table(outputs: Mapping[str, Output], rows: Mapping[str, Callable[[Output], str]]) -> Table:
    """A column for each output."""
    return Table(
        ["", *map(called, outputs)],
        [[title, *(show(each) for each in outputs.values())] for title, show in rows.items()],
    )


def _shown(key: str) -> Callable[[Output], str]:
    return lambda output: replace(output.figures[key], count=None).show()


def _stated(key: str) -> Callable[[Output], str]:
    return lambda output: output.reliability.figures[key].show()


def _control(key: str) -> Callable[[Output], str]:
    return lambda output: output.controls[key].show()


def _gained(output: Output) -> str:
    return "-" if output.gained is None else output.gained.show(3)


def _part(number: int) -> Callable[[Output], str]:
    def shown(output: Output) -> str:
        found = output.folds[number]
        return "-" if found is None else f"{found:.3f}"

    return shown


def _mean_of_parts(output: Output) -> str:
    known = [each for each in output.folds if each is not None]
    return f"{mean(known):.3f} ± {stdev(known):.3f}" if len(known) > 1 else "-"


def _controls(judged: Judged) -> Section | None:
    """The controls beside the model."""
    first = next(iter(judged.outputs.values()))
    if not first.controls:
        return None
    return Section(
        title="Controls",
        text=[
            "AUROC of the same heads on other encoders or labels. Gained: by pre-training.",
        ],
        parts=[
            _table(
                judged.outputs,
                {
                    "Model": _shown("auroc"),
                    **{_CONTROLS[key]: _control(key) for key in first.controls},
                    "Gained": _gained,
                },
            )
        ],
    )


def _folds(judged: Judged) -> Section | None:
    """The cross-validation, as the paper tabulates it."""
    folds = judged.run.recipe.folds
    if not folds:
        return None
    parts = {f"Part {number + 1}": _part(number) for number in range(folds)}
    return Section(
        title="Cross-validation",
        text=[
            f"AUROC of heads that were taught {folds - 1} of {folds} parts of all patients, on the "
            "part that they never saw. The encoder saw the training split's ECGs, without labels."
            if RANDOM in judged.run.taught()
            else f"AUROC of networks that were taught {folds - 1} of {folds} parts of all patients."
        ],
        parts=[_table(judged.outputs, {**parts, "Mean ± SD": _mean_of_parts})],
    )


def _pretraining(judged: Judged) -> Section | None:
    if judged.reconstruction is None:
        return None
    left = f"{judged.reconstruction:.2f} of the variance of the validation split's ECGs"
    return Section(
        title="Pre-training",
        text=[f"The autoencoder leaves {left} unexplained."],
        parts=[
            Drawing(
                "pretraining",
                "Error as a share of the variance, and the divergence of the latent.",
                drawing.pretraining(judged.pretraining),
            )
        ],
    )


def _method(judged: Judged) -> Iterator[str]:
    run = judged.run
    yield f"Cohort: {run.cohort.description}; {run.cohort.sha256[:16]}."
    yield (
        "Curves and thresholds were fitted on the validation split, and on nothing else; the "
        "weights are the last ones of a fixed number of epochs."
    )
    yield f"Intervals: bootstrap of patients, Wilson's for shares. Seed {run.recipe.seed}."
    if run.records:
        yield f"Pre-training also saw {run.records} WFDB records."


def _numbers(found: Mapping[str, Figure]) -> dict[str, Any]:
    return {name: _number(each) for name, each in found.items()}


def _number(found: Figure) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high}
