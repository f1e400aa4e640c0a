"""A bundle with the local steps of another site: the same weights under a digest of its own."""

from pathlib import Path

from inference.bundle.manifest import Description, Manifest
from inference.bundle.writing import write_again
from inference.errors import TrainingDataError
from inference.training.evaluation import evaluate
from inference.training.external import Judged
from inference.training.packing import calibrated, evaluated

SUFFIX = "-local"
#: Characters that a manifest allows for a version.
_LONGEST = 64


def write_locally_fitted(source: Path, judged: Judged, out: Path) -> Manifest:
    """Write the bundle of `source` with the last local step's calibration.

    It states the figures of the exams that the steps were judged on, and that it was fitted here.

    Raises:
        TrainingDataError: there were too few exams for local steps.
        BundleError: `out` exists.
    """
    manifest, local = judged.manifest, judged.local
    if isinstance(local, str):
        raise TrainingDataError(f"no bundle is written: {local}")
    fitted = local.steps[-1].calibration
    coverage = next(each.conformal.coverage for each in fitted.targets.values())
    draws = judged.evaluation.draws
    reached = evaluate(local.predictions, fitted=fitted, coverage=coverage, draws=draws)
    site = f"a site of its own (cohort {judged.here.cohort_sha256[:16]})"
    judged_on = (
        f"{local.exams('test')} exams of {local.patients('test')} patients at {site}, where it was "
        "recalibrated on others"
    )
    limitation = (
        f"Recalibrated on {local.exams('validation')} exams of {local.patients('validation')} "
        f"patients at {site}; use it only there. Recalibrated: {', '.join(local.targets)}."
    )
    parts = {name: getattr(manifest, name) for name in Description.model_fields}
    changes = {
        "version": f"{manifest.version[: _LONGEST - len(SUFFIX)]}{SUFFIX}",
        "evaluation": evaluated(reached),
        "judged_on": judged_on,
        "limitations": (*manifest.limitations, limitation),
    }
    return write_again(out, source, calibrated(Description(**(parts | changes)), fitted))
