"""The codes of why an instance takes no part: each fits DICOM's Code Value and Code Meaning."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest

import inference.ecg
import inference.radiograph
import inference.ultrasound
from dicom_node.report.source_codes import codes_in
from inference import exclusions, population
from inference.types import Code


def _codes() -> Iterator[Code]:
    rooms = (inference.ultrasound, inference.ecg, inference.radiograph)
    names = [
        f"{room.__name__}.{item.name}" for room in rooms for item in iter_modules(room.__path__)
    ]
    modules = [import_module(name) for name in names]
    for module in (exclusions, population, *modules):
        values = [value for value in vars(module).values() if isinstance(value, Code | dict)]
        yield from (code for code in codes_in(values) if code.scheme == exclusions.SCHEME)


CODES = sorted(set(_codes()), key=lambda code: code.value)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.value)
def test_a_reason_fits_code_value_and_code_meaning(code: Code) -> None:
    assert 0 < len(code.value) <= 16
    assert 0 < len(code.meaning) <= 64


def test_no_two_reasons_share_a_value_or_a_meaning() -> None:
    assert len(CODES) > 20
    assert len({code.value for code in CODES}) == len(CODES)
    assert len({code.meaning for code in CODES}) == len(CODES)
