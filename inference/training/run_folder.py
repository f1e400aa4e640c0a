"""run.json in the folder of a training: written once, read back, and gone on with only if alike."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from inference.bundle.strict import Strict
from inference.errors import TrainingDataError
from inference.regular_files import read_regular
from inference.training.checkpoint import require_same
from inference.training.output import write_whole

RUN = "run.json"
#: Far above what is written of any run.
_LARGEST_BYTES = 100_000_000


class AnyRun(Strict):
    """What a run says of itself, whichever pipeline's model it makes."""

    @property
    def made_by(self) -> dict[str, str]:
        """What decides the result; a run goes on only where all of it is the same."""
        raise NotImplementedError


_Run = TypeVar("_Run", bound=AnyRun)


def claim(folder: Path, run: _Run) -> _Run:
    """Make a folder this run's, or go on with the run that it holds already.

    Raises:
        TrainingDataError: it holds another recipe's or cohort's run.
    """
    if (folder / RUN).is_file():
        found = read(folder, type(run))
        require_same(folder / RUN, found.made_by, run.made_by)
        return found
    write_whole(folder / RUN, run.model_dump_json(indent=2) + "\n")
    return run


def read(folder: Path, kind: type[_Run]) -> _Run:
    """Read how a run was made.

    Raises:
        TrainingDataError: there is no run, or its run.json is none of this kind and version.
    """
    try:
        return kind.model_validate_json(read_regular(folder / RUN, _LARGEST_BYTES))
    except OSError:
        raise TrainingDataError(f"no run in {folder}; make one with `echonode train fit`") from None
    except ValidationError as error:
        raise TrainingDataError(
            f"{folder / RUN} is not of this version of echonode, or of another pipeline "
            f"({error.error_count()} problems); evaluate and pack it with the version that "
            "trained it, or train in another folder"
        ) from None


def flat(name: str, value: object) -> dict[str, str]:
    """Every value of nested tables by its path, such as "recipe.optimisation.steps", as JSON."""
    if not isinstance(value, dict):
        return {name: json.dumps(value)}
    return {
        key: text
        for part, inner in value.items()
        for key, text in flat(f"{name}.{part}", inner).items()
    }
