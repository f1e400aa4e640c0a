"""What every pipeline of ours asks of a bundle, and how it names it in its findings."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel
from pydicom import Dataset

from inference.bundle.manifest import Manifest
from inference.errors import BundleError
from inference.population import OUTSIDE_AGES, of_age
from inference.types import ModelCard, Rejected, Selection

_Fed = TypeVar("_Fed", bound=BaseModel)


def require_pipeline(manifest: Manifest, name: str) -> None:
    """Refuse a bundle that is for another pipeline.

    Raises:
        BundleError: it is.
    """
    if manifest.pipeline != name:
        raise BundleError(
            f"the bundle is for the pipeline {manifest.pipeline!r}, not for {name!r}; "
            "choose another bundle or pipeline in the settings"
        )


def require_conditions(manifest: Manifest, known: Collection[str]) -> None:
    """Refuse a bundle with probabilities of conditions that the pipeline cannot name.

    Raises:
        BundleError: it has some.
    """
    if unknown := manifest.probabilities.keys() - set(known):
        raise BundleError(f"the bundle has probabilities of unknown conditions: {sorted(unknown)}")


def fed_with(manifest: Manifest, kind: type[_Fed], what: str) -> _Fed:
    """How the bundle's inputs are made; `what` is what the pipeline has for it.

    Raises:
        BundleError: its networks are fed with something else.
    """
    fed = manifest.preprocessing
    if not isinstance(fed, kind):
        raise BundleError(f"the bundle's networks are fed with {fed.input}, not with {what}")
    return fed


def card(
    manifest: Manifest,
    version: str,
    *,
    preparing: Sequence[str],
    parameters: Sequence[str],
    remarks: Sequence[str] = (),
) -> ModelCard:
    """Name algorithm, weights and what was set, as a report must; patients come from the bundle."""
    patients = [f"patients {manifest.population} of age"] if manifest.population else []
    return ModelCard(
        algorithm=manifest.pipeline,
        version=version,
        bundle_name=manifest.name,
        bundle_version=manifest.version,
        bundle_digest=manifest.digest,
        device_uid=manifest.device_uid,
        standing=manifest.standing,
        intended_use=manifest.intended_use,
        preparing=tuple(preparing),
        remarks=tuple(remarks),
        parameters=(*networks(manifest), *patients, *parameters),
    )


def networks(manifest: Manifest) -> tuple[str, ...]:
    """The networks of a bundle, as parameters of the algorithm."""
    return tuple(
        f"network {network.architecture}"
        + (f" for {', '.join(network.targets)}" if network.targets else "")
        for network in manifest.networks
    )


def of_population(selection: Selection, header: Dataset, manifest: Manifest) -> Selection:
    """A selection that also asks whether the patient is of the ages that the bundle is for."""
    population = manifest.population
    if population is None or isinstance(selection, Rejected):
        return selection
    verdict = of_age(header, population.from_years, population.below_years)
    verdicts = (*selection.verdicts, verdict)
    if verdict.passed:
        return replace(selection, verdicts=verdicts)
    return Rejected(selection.instance, verdicts, OUTSIDE_AGES, verdict.detail)
