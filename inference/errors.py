"""What can go wrong in computation.

InferenceError
├── UnknownPipelineError     no pipeline of that name
├── PipelineUnusableError    a pipeline's package is broken, or it breaks the rules of a plug-in
├── InstanceUnreadableError  one instance cannot be looked at; the rest of the study can
├── InstanceExcludedError    one instance takes no part, as its pixels show
├── BundleError              a bundle cannot be used; the message says what to do
│   └── UnknownArchitectureError    it or a recipe names an architecture that is not known here
└── TrainingDataError        labels, cohort or recipe are wrong; the message names row and remedy
"""

from collections.abc import Sequence

from inference.types import Code, Verdict


class InferenceError(Exception):
    """Base of every error that `inference` raises on purpose."""


class UnknownPipelineError(InferenceError):
    """No pipeline has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"unknown pipeline {name!r}: correct its [[pipeline]] name; "
            f"known: {', '.join(known) or 'none, so install echonode again'}"
        )


class PipelineUnusableError(InferenceError):
    """The code of a pipeline cannot be used: its author or the administrator must repair it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"pipeline {name}: {why}")


class InstanceUnreadableError(InferenceError):
    """The pixels of one instance cannot be decoded or hold no picture."""


class InstanceExcludedError(InferenceError):
    """The pixels of one instance show that it takes no part after all: `verdict` says why."""

    def __init__(self, verdict: Verdict, reason: Code) -> None:
        super().__init__(verdict.detail)
        self.verdict = verdict
        self.reason = reason


class BundleError(InferenceError):
    """A bundle is damaged, incomplete, too new, or made for something else."""


class UnknownArchitectureError(BundleError):
    """A bundle or a recipe names a network that this version cannot build."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"unknown architecture {name!r}; known: {', '.join(known)}: "
            "correct the name or upgrade (pip install --upgrade echonode)"
        )


class TrainingDataError(InferenceError):
    """Labels, cohort, recipe or checkpoint cannot be used as they are."""
