"""Which pipelines are installed: found by entry point, without their weights and without torch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from inference.errors import InferenceError, PipelineUnusableError, UnknownPipelineError

#: Packages register their pipelines in this entry point group, this one included.
GROUP = "echonode.pipelines"
_OURS = "echonode"


@dataclass(frozen=True, slots=True)
class Business:
    """What a pipeline is for, in DICOM's words.

    `reads` are the SOP classes of the instances that it looks at, `anchors` those that make a study
    its own to report. Instances of the same patient's other studies, up to `reach_days` before or
    after, take part where their class is one of `companions`; without any: of all that it reads.
    `quiet_s` is for how many seconds nothing more must come of its anchors before their study is
    complete; None: as long as the settings say.
    """

    reads: frozenset[str]
    anchors: frozenset[str]
    reach_days: int = 0
    companions: frozenset[str] = frozenset()
    quiet_s: float | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """What an entry point names; its module must not import torch, since a listener imports it.

    `factory` is "module:function", which is imported in a worker only: see `load_pipeline`.
    """

    business: Business
    factory: str


def installed_name(name: str) -> str:
    """The name that a pipeline is installed by: settings may run it again as "name@label"."""
    return name.partition("@")[0]


def find(name: str) -> Registration:
    """The pipeline of a name; where another package claims a name of ours, ours stays.

    Raises:
        UnknownPipelineError: no installed package has such a pipeline.
        PipelineUnusableError: its package cannot be imported, or several claim the name.
    """
    found = _found(installed_name(name))
    if isinstance(found, InferenceError):
        raise found.with_traceback(None)
    return found


def readers(pipelines: Iterable[str], sop_class_uid: str) -> list[str]:
    """Those of the pipelines that look at instances of a class.

    One whose package is missing or broken on this machine may be among them: its worker may run
    on another.
    """
    return [name for name in pipelines if _may_read(name, sop_class_uid)]


def quiet_s(pipelines: Iterable[str], sop_class_uid: str) -> float | None:
    """For how long, at most, a study is waited for after an instance of a class: what suffices all
    of the pipelines that report on it; None: as long as the settings say.

    One whose package is missing or broken on this machine may need any time.
    """
    found = [_found(installed_name(name)) for name in pipelines]
    if any(isinstance(one, InferenceError) for one in found):
        return None
    businesses = [one.business for one in found if isinstance(one, Registration)]
    asked = [one.quiet_s for one in businesses if sop_class_uid in one.anchors]
    known = [seconds for seconds in asked if seconds is not None]
    return max(known) if known and len(known) == len(asked) else None


def faults() -> Iterator[tuple[str, str]]:
    """What is wrong with installed pipelines, configured or not: name and sentence of each."""
    for name in sorted({entry.name for entry in _registered()}):
        found = _found(name)
        if isinstance(found, InferenceError):
            yield name, str(found)
            continue
        packages = {_package(entry) for entry in _registered() if entry.name == name}
        for package in sorted(packages - {_OURS}) if _OURS in packages else ():
            yield name, f"package {package} claims this name too; it is not used: remove it"


@cache
def _found(name: str) -> Registration | InferenceError:
    """Once a process: what is broken is not imported again for each instance that comes."""
    claims = [entry for entry in _registered() if entry.name == name]
    if not claims:
        return UnknownPipelineError(name, sorted({entry.name for entry in _registered()}))
    rightful = [entry for entry in claims if _package(entry) == _OURS] or claims
    if len(rightful) > 1:
        packages = " and ".join(sorted(map(_package, rightful)))
        return PipelineUnusableError(name, f"{packages} both register it: remove one of them")
    return _imported(rightful[0])


def _may_read(name: str, sop_class_uid: str) -> bool:
    found = _found(installed_name(name))
    return isinstance(found, InferenceError) or sop_class_uid in found.business.reads


@cache
def _registered() -> Sequence[EntryPoint]:
    return tuple(entry_points(group=GROUP))


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unnamed package"


def _imported(entry: EntryPoint) -> Registration | InferenceError:
    package = f"its package {_package(entry)}"
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
        why = f"{package} cannot be imported ({type(error).__name__}: {error}): repair or remove it"
        return PipelineUnusableError(entry.name, why)
    if not isinstance(found, Registration) or not isinstance(found.business, Business):
        why = f"{package} registers a {type(found).__name__} that is no Registration"
        return PipelineUnusableError(entry.name, why)
    return found
