"""The plug-in: what a pipeline must offer, and the registry that finds one by name."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pydicom import Dataset

from inference.errors import UnknownPipelineError
from inference.types import Encoded, Exclusion, Features, Findings, ModelCard, Selected, Selection


class Pipeline(Protocol):
    """From the instances of one study to findings.

    `select` and `look` see one instance, `encode` several of any studies, all while the studies
    still arrive; `conclude` sees the study. A pipeline holds no state between calls but its
    weights, and `select` and `look` may run on several threads at once.
    """

    name: str
    version: str

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""

    def concerns(self, sop_class_uids: Sequence[str]) -> bool:
        """Whether a study of these SOP classes is this pipeline's business at all."""

    def select(self, header: Dataset, profile: str | None = None) -> Selection:
        """Judge one instance by its header; the pixels are not read.

        `profile` names the selection rules that its sender asks for; None: the pipeline's own.
        """

    def look(self, instance: Path, selected: Selected) -> Any:
        """Decode what `encode` needs of one selected instance.

        Raises:
            inference.errors.LoopExcludedError: the pixels show that it takes no part after all.
            inference.errors.LoopUnreadableError: the pixels cannot be decoded or hold no picture.
        """

    def encode(self, looks: Sequence[Any]) -> list[Features]:
        """Features of instances that were looked at; each is the same whatever the company.

        Raises:
            inference.errors.InferenceError: the model failed, on one of them at least.
        """

    def conclude(self, case: Sequence[Encoded], exclusions: Sequence[Exclusion]) -> Findings:
        """Estimate from all loops of a study; abstains where there is none."""

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate, for a reason outside the pipeline's own rules."""


#: name -> "module:factory"; a factory takes the bundle folder, the device (auto, cpu, cuda), the
#: precision (auto, fp32, bf16), the selection profile (None: the one the bundle asks for), and what
#: becomes of loops without a heartbeat (exclude, note) and of loops unlike those of the training
#: (exclude, note, off).
PIPELINES: Mapping[str, str] = {
    "echo_haemodynamics": "inference.pipelines.echo_haemodynamics:load",
}


def require_known(name: str) -> None:
    """Return when there is a pipeline of this name.

    Raises:
        UnknownPipelineError: there is none.
    """
    if name not in PIPELINES:
        raise UnknownPipelineError(name, sorted(PIPELINES))


def load_pipeline(
    name: str,
    bundle: Path,
    device: str = "auto",
    precision: str = "fp32",
    profile: str | None = None,
    without_heartbeat: str = "exclude",
    unfamiliar: str = "exclude",
) -> Pipeline:
    """Load a pipeline with its weights; only here is torch imported.

    Raises:
        UnknownPipelineError: no pipeline has this name.
        inference.errors.InferenceError: no such device or precision here.
        inference.errors.BundleError: the bundle is damaged or does not fit the pipeline.
    """
    require_known(name)
    module, factory = PIPELINES[name].split(":")
    load: Callable[[Path, str, str, str | None, str, str], Pipeline] = getattr(
        import_module(module), factory
    )
    return load(bundle, device, precision, profile, without_heartbeat, unfamiliar)
