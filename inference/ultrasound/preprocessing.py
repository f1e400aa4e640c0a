"""From decoded frames to what the encoder sees."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.errors import InstanceUnreadableError
from inference.ultrasound.regions import Bounds


def crop(frames: NDArray[np.uint8], bounds: Bounds) -> NDArray[np.uint8]:
    """Cut the region out of frames (n, rows, columns); bounds are inclusive and clipped.

    Raises:
        InstanceUnreadableError: the region lies outside the image.
    """
    top, left = max(0, bounds.y0), max(0, bounds.x0)
    region = frames[:, top : bounds.y1 + 1, left : bounds.x1 + 1]
    if region.size == 0:
        raise InstanceUnreadableError("the region lies outside the image")
    return region


def to_square(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Centre-crop or zero-pad the width to the height: (n, h, w) -> (n, h, h)."""
    height, width = frames.shape[1:]
    if width > height:
        left = (width - height) // 2
        return frames[:, :, left : left + height]
    left = (height - width) // 2
    return np.pad(frames, ((0, 0), (0, 0), (left, height - width - left)))


def resize(frames: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Scale grey 0..255 to 0..1 and resize to size x size: bilinear, antialiased.

    The same as torch's antialiased `interpolate` to rounding, without its threads.
    """
    resized = np.empty((len(frames), size, size), np.float32)
    for number, frame in enumerate(frames):
        grey = Image.fromarray(frame).convert("F")
        resized[number] = np.asarray(grey.resize((size, size), Image.Resampling.BILINEAR))
    unit: NDArray[np.float32] = np.clip(resized / np.float32(255), 0, 1)
    return unit
