"""Damaged films: whatever the bytes, a film is looked at or is unreadable."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.dicom.header import read_header
from inference.errors import InstanceUnreadableError
from inference.phantom.film.storing import FilmClass, Scale, Storing
from inference.radiograph.film import look
from inference.radiograph.rules import select
from tests.unit.films import write_film

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SCALES = (Scale.WINDOW, Scale.VOI_TABLE, Scale.MODALITY_TABLE, Scale.RESCALED_WINDOW)


@cache
def film(scale: Scale) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_film(Path(folder) / "a.dcm", Storing(FilmClass.DX, 11, scale)).read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SCALES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    st.booleans(),
)
def test_a_damaged_film_is_looked_at_or_unreadable(
    scale: Scale, changes: list[tuple[float, int]], only_header: bool
) -> None:
    content = bytearray(film(scale))
    reach = 2600 if only_header else len(content)
    for place, value in changes:
        content[132 + int(place * (reach - 133))] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.dcm"
        path.write_bytes(content)
        try:
            select(read_header(path))
            pixels = look(path, 32).pixels
        except InstanceUnreadableError:
            return
    assert np.isfinite(pixels).all()
    assert 0 <= pixels.min() <= pixels.max() <= 1
