"""Where an imported encoder comes from, as its file says it; runs and bundles pass it on."""

from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from inference.bundle.strict import Strict
from inference.errors import TrainingDataError
from inference.regular_files import require_regular

KEY = "echonode_encoder"


class Source(Strict):
    """What was imported, under which licence, and the SHA-256 of the file that it was read from."""

    kind: str
    about: str
    architecture: str
    licence: str
    sha256: str

    @property
    def sentence(self) -> str:
        """As a bundle's limitations say it."""
        return f"Training began from {self.about}, licence: {self.licence}"


def source_of(encoder: Path) -> Source | None:
    """Where an encoder comes from; None for one that a run of ours pre-trained.

    Raises:
        TrainingDataError: the file cannot be read.
    """
    try:
        require_regular(encoder)
        with safe_open(encoder, framework="pt") as file:
            stated = (file.metadata() or {}).get(KEY)
        return None if stated is None else Source.model_validate_json(stated)
    except OSError as error:
        raise TrainingDataError(f"encoder {encoder}: cannot be read ({error.strerror})") from None
    except (SafetensorError, ValidationError):
        raise TrainingDataError(
            f"encoder {encoder}: not a safetensors file of echonode; bring weights from elsewhere "
            "with `echonode weights import`"
        ) from None
