"""From a judged run to the bundle that the node loads; the same run gives the same bytes."""

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from inference.bundle.manifest import (
    Cohort,
    Description,
    FilmAndEcgPreprocessing,
    Manifest,
    Network,
)
from inference.bundle.targets import ValueTarget
from inference.bundle.writing import require_new, write_bundle
from inference.errors import TrainingDataError
from inference.models.film_view import FilmViewNetwork
from inference.pipelines.haemodynamics import QUANTITIES
from inference.training.checkpoint import load_weights, require_same
from inference.training.cohort.choosing import choosing
from inference.training.cohort.reading import read_cohort
from inference.training.cxr_ecg.judge import judge
from inference.training.cxr_ecg.recipe import Member
from inference.training.cxr_ecg.run import VIEW, Run, load_network, read_run
from inference.training.packing import as_judged, calibrated
from inference.training.run_folder import RUN
from inference.training.statement import Statement
from inference.types import Standing

_USE = {
    Standing.PHANTOM: "Demonstration and testing of the node on synthetic studies. Trained on "
    "synthetic films and ECGs: not for patients.",
    Standing.RESEARCH: "Research on the estimation of mean pulmonary artery pressure from a chest "
    "film and an ECG, at the institution that trained it. Not for clinical decisions.",
}
_LIMITS = {
    Standing.PHANTOM: "Trained on synthetic phantoms; its estimates say nothing about patients.",
    Standing.RESEARCH: "Trained on one institution's archive; it may do worse on other patients, "
    "films and ECG carts.",
}
#: Said where no training record is without pulmonary hypertension.
CANNOT_SCREEN = (
    "Every training patient had PH: the estimate is for following known PH, it cannot screen, and "
    "no verdict on PH is given."
)


def pack(
    run: Path, cohort: Path, cache: Path, out: Path, *, statement: Statement | None = None
) -> Manifest:
    """Write a judged run as a new bundle into the folder `out`.

    The network that tells views apart rides along. Where every training patient had PH the bundle
    holds no probability of it.

    Raises:
        TrainingDataError: the run is not finished, not judged or of another cohort, has no network
            of film and ECG, or its estimates are not better than chance.
        BundleError: `out` exists.
    """
    del cache  # all that is needed of it was judged
    require_new(out)
    made, found = read_run(run), read_cohort(cohort)
    require_same(run / RUN, {"cohort": made.cohort.sha256}, {"cohort": found.sha256})
    if made.recipe.networks[0] is not Member.FUSED:
        raise TrainingDataError(
            f"nothing to pack: the first network of the recipe sees the {made.recipe.networks[0]} "
            f'alone; put "{Member.FUSED}" first'
        )
    judged = judge(run, cohort)
    if not judged.held:
        reasons = " ".join(judged.withheld.values())
        raise TrainingDataError(f"nothing to pack: {reasons}; train on more records, or longer")
    described = calibrated(_described(made, statement or Statement()), judged.held_calibration)
    if not made.without_ph:
        described = described.model_copy(update={"probabilities": {}})
    view = FilmViewNetwork()
    load_weights(run / VIEW, view)
    networks: dict[str, nn.Module] = {
        Member.FUSED.prefix: load_network(run, made, Member.FUSED),
        "view": view.eval(),
    }
    return write_bundle(out, as_judged(described, judged, found), networks)


def _described(made: Run, statement: Statement) -> Description:
    """What the manifest says before anything is calibrated; the decision is at the limit."""
    recipe, standing = made.recipe, made.cohort.standing
    quantity = QUANTITIES["mPAP"]
    sources = () if made.encoder_source is None else (made.encoder_source.sentence,)
    return Description(
        name=statement.name or recipe.name,
        version=statement.version,
        standing=standing,
        pipeline=recipe.pipeline,
        networks=(
            Network(
                prefix=Member.FUSED.prefix, architecture=recipe.architecture, targets=("mPAP",)
            ),
            Network(prefix="view", architecture="film_view", targets=()),
        ),
        targets=(
            ValueTarget(
                name="mPAP",
                unit=quantity.unit.value,
                mean=made.mean_mmhg,
                sd=made.sd_mmhg,
                decision_threshold=quantity.upper_limit,
            ),
        ),
        preprocessing=FilmAndEcgPreprocessing(
            film=recipe.film,
            film_px=recipe.film_px,
            pair_days=choosing(recipe.pipeline).pair_days,
        ),
        cohort=Cohort(
            description=made.cohort.description,
            sha256=made.cohort.sha256,
            exams=made.cohort.exams,
        ),
        population=statement.population,
        intended_use=statement.intended_use or _USE[standing],
        limitations=(*_limitations(made), *sources, *statement.limitations),
        licence="; ".join((statement.licence, *sources)),
        # The run's, so that packing it again gives the same bundle.
        created_at=made.created_at,
    )


def _limitations(made: Run) -> Iterator[str]:
    yield _LIMITS[made.cohort.standing]
    if not made.without_ph:
        yield CANNOT_SCREEN
