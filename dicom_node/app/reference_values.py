"""The table of values that were measured otherwise, as the settings name it."""

from pathlib import Path

import structlog

from dicom_node.settings.model import Settings
from inference.earlier import ReferenceValues
from inference.errors import InferenceError

log = structlog.get_logger()


def reference_values(settings: Settings) -> ReferenceValues:
    """What was measured; without a table that can be read, nothing: reports do without it."""
    if settings.work.reference_values is None:
        return {}
    try:
        return read(settings.work.reference_values)
    except InferenceError as error:
        log.exception("reference values not used", reason=str(error))
        return {}


def read(path: Path) -> ReferenceValues:
    """Read the table.

    Raises:
        inference.errors.InferenceError: it cannot be used, or the packages to read it are missing.
    """
    try:
        from inference.reference_values import read_reference_values
    except ModuleNotFoundError as error:
        raise InferenceError(f"{error.name} is missing: install echonode[train]") from error
    return read_reference_values(path)
