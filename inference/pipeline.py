"""The plug-in: what a pipeline must offer, and the registry that finds one by name."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from pydicom import Dataset

from inference.errors import UnknownPipelineError
from inference.types import Encoded, Exclusion, Features, Findings, ModelCard, Selected, Selection


class Pipeline(Protocol):
    """From the instances of one study to findings.

    `select` and `encode` see one instance and run while the study still arrives; `conclude`
    sees the study. A pipeline holds no state between calls but its weights.
    """

    name: str
    version: str

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""

    def concerns(self, sop_class_uids: Sequence[str]) -> bool:
        """Whether a study of these SOP classes is this pipeline's business at all."""

    def select(self, header: Dataset) -> Selection:
        """Judge one instance by its header; the pixels are not read."""

    def encode(self, instance: Path, selected: Selected) -> Features:
        """Look at one selected instance.

        Raises:
            inference.errors.LoopUnreadableError: the pixels cannot be decoded or hold no picture.
        """

    def conclude(self, case: Sequence[Encoded], exclusions: Sequence[Exclusion]) -> Findings:
        """Estimate from all loops of a study; abstains where there is none."""

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate, for a reason outside the pipeline's own rules."""


#: name -> "module:factory"; a factory takes the bundle folder and the device (auto, cpu, cuda).
PIPELINES: Mapping[str, str] = {
    "echo_haemodynamics": "inference.pipelines.echo_haemodynamics:load",
}


def load_pipeline(name: str, bundle: Path, device: str = "auto") -> Pipeline:
    """Load a pipeline with its weights; only here is torch imported.

    Raises:
        UnknownPipelineError: no pipeline has this name.
        inference.errors.BundleError: the bundle is damaged or does not fit the pipeline.
    """
    if name not in PIPELINES:
        raise UnknownPipelineError(name, sorted(PIPELINES))
    module, factory = PIPELINES[name].split(":")
    load: Callable[[Path, str], Pipeline] = getattr(import_module(module), factory)
    return load(bundle, device)
