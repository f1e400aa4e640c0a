"""From a run of an ECG model to the bundle that the node loads: the same run, the same bytes."""

from collections.abc import Iterator
from pathlib import Path

from inference.bundle.manifest import (
    Cohort,
    Description,
    EcgPreprocessing,
    Evaluated,
    Manifest,
    Network,
    Population,
)
from inference.bundle.writing import require_new, write_bundle
from inference.errors import TrainingDataError
from inference.training.cohort.population import population
from inference.training.cohort.reading import read_cohort
from inference.training.ecg_ph.judge import called, judged_run
from inference.training.ecg_ph.judging import Judged
from inference.training.ecg_ph.predicting import PREFIX, load_model
from inference.training.evaluation.metrics import Figure
from inference.training.statement import Statement
from inference.types import Standing

_USES = {
    Standing.PHANTOM: "Demonstration and testing of the node on synthetic ECGs. Not for patients.",
    Standing.RESEARCH: "Research on pulmonary hypertension in resting ECGs, at the institution "
    "that trained it. Not for clinical decisions.",
}
_LIMITS = {
    Standing.PHANTOM: "Trained on synthetic ECGs; what it says means nothing for patients.",
    Standing.RESEARCH: "Trained on one institution's archive; it may do worse on other patients "
    "and carts.",
}
#: Adults: a child's ECG is another one.
_ADULTS = Population(from_years=18)


def pack(
    run: Path, cohort: Path, cache: Path, out: Path, *, statement: Statement | None = None
) -> Manifest:
    """Write a run that was judged as a new bundle into the folder `out`; the decoder stays behind.

    Raises:
        TrainingDataError: the run is not finished or judged, of another cohort or cache, or one of
            its outputs is no better than chance.
        BundleError: `out` exists.
    """
    require_new(out)
    judged = judged_run(run, cohort, cache)
    _require_signal(judged)
    found = read_cohort(cohort)
    described = _described(judged, statement or Statement(), population(found.part("train")))
    return write_bundle(out, described, {PREFIX: load_model(run, found, cache)})


def _described(judged: Judged, statement: Statement, who: dict[str, str]) -> Description:
    run, counted = judged.run, judged.looks
    recipe, standing = run.recipe, run.cohort.standing
    return Description(
        name=statement.name or recipe.name,
        version=statement.version,
        standing=standing,
        pipeline=recipe.pipeline,
        networks=(
            Network(prefix=PREFIX, architecture=recipe.architecture, targets=recipe.targets),
        ),
        targets=tuple(output.target for output in judged.outputs.values()),
        preprocessing=EcgPreprocessing(signal=recipe.signal, lead_sets=recipe.lead_sets),
        cohort=Cohort(
            description=run.cohort.description,
            sha256=run.cohort.sha256,
            exams=run.cohort.exams,
            population=who,
            test_looks=None if counted is None else counted.first,
            test_models=None if counted is None else counted.number,
        ),
        population=statement.population or _ADULTS,
        evaluation=dict(_evaluated(judged)),
        intended_use=statement.intended_use or _USES[standing],
        limitations=(_LIMITS[standing], *statement.limitations),
        licence=statement.licence,
        # The run's, so that packing it again gives the same bundle.
        created_at=run.created_at,
    )


def _evaluated(judged: Judged) -> Iterator[tuple[str, Evaluated]]:
    """The figures that a manifest holds, such as `PH.12-leads.auroc`."""
    for name, output in judged.outputs.items():
        found: dict[str, Figure] = dict(output.figures)
        found["calibration_slope"] = output.reliability.figures["slope"]
        for figure, each in found.items():
            if each.value is not None:
                yield (
                    f"{name}.{figure}",
                    Evaluated(value=each.value, low=each.low, high=each.high),
                )


def _require_signal(judged: Judged) -> None:
    """Refuse a run whose outputs do not all tell more than chance.

    Raises:
        TrainingDataError: naming the output.
    """
    for name, output in judged.outputs.items():
        reached = output.figures["auroc"]
        if reached.value is None or (reached.value if reached.low is None else reached.low) <= 0.5:
            raise TrainingDataError(
                f"nothing to pack: {called(name)} is not shown to be better than chance, AUROC "
                f"{reached.show()}. Check that the labels belong to their exams; then train on "
                "more exams"
            )
