"""A better start: encoders trained elsewhere, from a file on disk, made into ours.

    import_weights(Path("resnet50.pth"), "imagenet-resnet50", Path("encoder.safetensors"),
                   licence="BSD-3-Clause; ImageNet terms of access")

Nothing is downloaded, and nothing in a file is executed.
"""

from inference.training.weights.film_encoders import FILM_KINDS
from inference.training.weights.importing import Imported, import_weights
from inference.training.weights.kinds import KINDS, REFUSED
from inference.training.weights.source import Source, source_of

__all__ = ["FILM_KINDS", "KINDS", "REFUSED", "Imported", "Source", "import_weights", "source_of"]
