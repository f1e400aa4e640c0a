"""The pictures that a pipeline draws, each as large as the summary and below its heading."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dicom_node.report.canvas import AMBER, BACKGROUND, BRIGHT, HEIGHT, MARGIN, WIDTH, Canvas
from dicom_node.report.picture import draw_heading
from inference.types import Findings, Picture

EXPLANATION = "Explanation of the model, not a diagnosis"
_TOP, _BOTTOM = 240, HEIGHT - MARGIN


def drawn(picture: Picture, findings: Findings) -> NDArray[np.uint8]:
    """RGB, shape (HEIGHT, WIDTH, 3)."""
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    canvas = Canvas(ImageDraw.Draw(image))
    draw_heading(canvas, findings)
    canvas.fitted((MARGIN, 186, WIDTH - MARGIN, 212), picture.caption, 22, BRIGHT)
    if picture.method is not None:
        said = f"{EXPLANATION} ({picture.method.meaning})"
        canvas.fitted((MARGIN, 212, WIDTH - MARGIN, 236), said, 18, AMBER)
    shown = Image.fromarray(picture.pixels)
    scale = min((WIDTH - 2 * MARGIN) / shown.width, (_BOTTOM - _TOP) / shown.height)
    shown = shown.resize((round(shown.width * scale), round(shown.height * scale)))
    image.paste(shown, ((WIDTH - shown.width) // 2, _TOP))
    return np.asarray(image, dtype=np.uint8)
