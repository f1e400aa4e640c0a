"""The plug-in: what a pipeline must offer, and how one is loaded.

It has three parts, since they run in three places: a chooser (headers and pixels, beside the
files), an encoder (weights and a device, here or on a cluster) and a concluder (the features of a
case).
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol

from pydicom import Dataset

from inference.errors import InferenceError, PipelineUnusableError
from inference.registry import Business, find, installed_name
from inference.types import Case, Exclusion, Features, Findings, ModelCard, Selected, Selection

#: What a plug-in must have.
_MEMBERS = (
    "name",
    "version",
    "business",
    "model",
    "select",
    "look",
    "encode",
    "conclude",
    "abstain",
)


class Chooser(Protocol):
    """Judges and decodes one instance; may run on several threads at once."""

    def select(self, header: Dataset, profile: str | None = None) -> Selection:
        """Judge one instance by its header, which is left as it is; the pixels are not read.

        Of an instance of a class that it does not read, to say why it takes no part, the header
        holds no more than SOP class, UIDs, modality and instance number.
        `profile` names the selection rules that its sender asks for; None: the pipeline's own.
        """

    def look(self, instance: Path, selected: Selected) -> Any:
        """Decode what `encode` needs of one selected instance.

        Raises:
            inference.errors.InstanceExcludedError: the pixels show that it takes no part after all.
            inference.errors.InstanceUnreadableError: the pixels cannot be decoded or hold no
                picture.
        """


class Encoder(Protocol):
    """Where looks become features: in this process, or on other machines that hold the weights."""

    def submit(self, looks: Sequence[Any]) -> Future[list[Features]]:
        """Begin to encode looks of one pipeline; the future holds their features, in order.

        Its exception is what the pipeline raised, or PipelineUnusableError where that returned
        anything else.
        """


class Concluder(Protocol):
    """Sees the features of a whole case."""

    def conclude(self, case: Case, exclusions: Sequence[Exclusion]) -> Findings:
        """Estimate from all of a case; abstains where that is not enough."""

    def abstain(self, exclusions: Sequence[Exclusion], why: str) -> Findings:
        """Findings without an estimate, for a reason outside the pipeline's own rules."""


class Pipeline(Chooser, Concluder, Protocol):
    """From the instances of a study, and of others of the patient's, to findings.

    `select` and `look` see one instance, `encode` several of any studies, all while the studies
    still arrive; `conclude` sees the study. A pipeline holds no state between calls but its
    weights. It computes only: an `Encoder` decides where `encode` runs.
    """

    name: str
    version: str
    business: Business

    @property
    def model(self) -> ModelCard:
        """Which weights are loaded."""

    def encode(self, looks: Sequence[Any]) -> list[Features]:
        """Features of instances that were looked at; each is the same whatever the company.

        Raises:
            inference.errors.InferenceError: the model failed, on one of them at least.
        """


def load_pipeline(
    name: str,
    bundle: Path,
    device: str = "auto",
    precision: str = "fp32",
    **options: Any,
) -> Pipeline:
    """Load a pipeline with its weights; only here is torch imported.

    Its factory is called with the bundle's folder, the device ("auto", "cpu", "cuda"), the
    precision ("auto", "fp32", "bf16") and, by keyword, `options`: the settings of its own.

    Raises:
        UnknownPipelineError: no pipeline has this name.
        PipelineUnusableError: its code cannot be imported or breaks the rules of a plug-in, or its
            factory refuses an option.
        inference.errors.InferenceError: no such device or precision here.
        inference.errors.BundleError: the bundle is missing, damaged or does not fit the pipeline.
    """
    module, _, factory = find(name).factory.partition(":")
    try:
        make = getattr(import_module(module), factory)
        _require_options(name, make, options)
        made = make(bundle, device, precision, **options)
    except (InferenceError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        why = f"it cannot be loaded ({type(error).__name__}: {error})"
        raise PipelineUnusableError(name, why) from error
    _require_pipeline(made, installed_name(name))
    return made  # type: ignore[no-any-return]


def require_own(pipeline: Pipeline, made: object, *kinds: type) -> None:
    """Refuse what a call of a pipeline returned if it is of none of our types.

    Raises:
        PipelineUnusableError: it is not.
    """
    if not isinstance(made, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        why = f"it returned a {type(made).__name__} in place of {wanted}"
        raise PipelineUnusableError(pipeline.name, why)


def encode_with(pipeline: Pipeline, looks: Sequence[Any]) -> list[Features]:
    """What an encoder does with looks, wherever it runs: one `Features` for each.

    Raises:
        PipelineUnusableError: the pipeline returned anything else.
        Exception: whatever the pipeline raises.
    """
    made = pipeline.encode(looks)
    require_own(pipeline, made, list)
    for item in made:
        require_own(pipeline, item, Features)
    if len(made) != len(looks):
        raise PipelineUnusableError(
            pipeline.name, f"it encoded {len(made)} instances of {len(looks)}"
        )
    return made


def _require_options(name: str, make: Callable[..., Any], options: Iterable[str]) -> None:
    """Refuse options that a factory does not take, which Python would say less clearly."""
    further = list(signature(make).parameters.values())[3:]
    if any(each.kind is Parameter.VAR_KEYWORD for each in further):
        return
    known = [each.name for each in further]
    if unknown := [option for option in options if option not in known]:
        listed = ", ".join(known) or "none"
        why = f"it has no option {', '.join(unknown)}; known: {listed}"
        raise PipelineUnusableError(name, why)


def _require_pipeline(made: Any, name: str) -> None:
    missing = [member for member in _MEMBERS if not hasattr(made, member)]
    if missing:
        why = f"its factory returned a {type(made).__name__} without {', '.join(missing)}"
        raise PipelineUnusableError(name, why)
    if made.name != name:
        raise PipelineUnusableError(name, f"its code calls itself {made.name!r}")
    require_own(made, made.model, ModelCard)
