"""Features of an instance as bytes for the database, and back."""

import io
import json
from typing import Any

import numpy as np
from PIL import Image

from inference.types import Features

#: Higher than the summary picture shows it, and cheap to decode for each instance of a study.
_PREVIEW_HEIGHT = 240
_PREVIEW_QUALITY = 85


def encode_features(features: Features) -> bytes:
    """Pack arrays, frame numbers, notes and a JPEG of the preview into one NPZ archive."""
    stream = io.BytesIO()
    about = {"frames": features.frames, "notes": features.notes}
    members: dict[str, Any] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        "preview": np.frombuffer(_to_jpeg(features.preview), np.uint8),
        **{f"array_{name}": array for name, array in features.arrays.items()},
    }
    np.savez(stream, **members)
    return stream.getvalue()


def decode_features(data: bytes) -> Features:
    """Unpack what `encode_features` packed."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
        preview = archive["preview"].tobytes()
        arrays = {
            name.removeprefix("array_"): archive[name].astype(np.float32, copy=False)
            for name in archive.files
            if name.startswith("array_")
        }
    return Features(
        arrays=arrays,
        frames=tuple(about["frames"]),
        notes=tuple(about["notes"]),
        preview=np.asarray(Image.open(io.BytesIO(preview))) if preview else None,
    )


def _to_jpeg(preview: np.ndarray | None) -> bytes:
    if preview is None:
        return b""
    picture = Image.fromarray(preview)
    picture.thumbnail((picture.width, _PREVIEW_HEIGHT))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_PREVIEW_QUALITY)
    return stream.getvalue()
