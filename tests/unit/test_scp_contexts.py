"""What is accepted: every storage class in every transfer syntax that carries its pixels."""

import time

import pytest
from pydicom.uid import UID
from pynetdicom import build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class

from dicom_node.scp.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION, supported

ARRIVING = {
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "US multi-frame": "1.2.840.10008.5.1.4.1.1.3.1",
    "US, retired": "1.2.840.10008.5.1.4.1.1.6",
    "US multi-frame, retired": "1.2.840.10008.5.1.4.1.1.3",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "12-lead ECG": "1.2.840.10008.5.1.4.1.1.9.1.1",
    "haemodynamic waveform": "1.2.840.10008.5.1.4.1.1.9.2.1",
    "Comprehensive SR": "1.2.840.10008.5.1.4.1.1.88.33",
    "Comprehensive 3D SR": "1.2.840.10008.5.1.4.1.1.88.34",
    "key objects": "1.2.840.10008.5.1.4.1.1.88.59",
    "PDF": "1.2.840.10008.5.1.4.1.1.104.1",
}
_JPEG = [f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70)]
_JPEG_LS = [f"1.2.840.10008.1.2.4.{number}" for number in (80, 81)]
_JPEG_2000 = [f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203)]
_JPEG_XL = [f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112)]
_VIDEO = [f"1.2.840.10008.1.2.4.{number}" for number in (*range(100, 107), 107, 108)]
_FRAGMENTABLE_VIDEO = [f"1.2.840.10008.1.2.4.{number}.1" for number in range(100, 107)]
SYNTAXES = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8.1",
    *_JPEG,
    *_JPEG_LS,
    *_JPEG_2000,
    *_JPEG_XL,
    *_VIDEO,
    *_FRAGMENTABLE_VIDEO,
]


@pytest.mark.parametrize("what", ARRIVING)
def test_each_class_is_supported_in_each_syntax(what: str) -> None:
    for syntax in SYNTAXES:
        [context] = supported([build_context(ARRIVING[what], syntax)])
        assert context.transfer_syntax == [syntax]


def test_verification_is_supported() -> None:
    [context] = supported([build_context(VERIFICATION)])
    assert context.abstract_syntax == VERIFICATION


def test_the_order_of_the_proposal_is_kept() -> None:
    ours = ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
    [context] = supported([build_context(ARRIVING["US"], ours)])
    assert context.transfer_syntax == ours


def test_contexts_of_one_class_are_supported_together() -> None:
    proposed = [build_context(ARRIVING["US"], syntax) for syntax in SYNTAXES]
    [context] = supported(proposed)
    assert context.transfer_syntax == SYNTAXES


@pytest.mark.parametrize(
    ("abstract", "syntax"),
    [
        ("1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.2"),  # query, no service of ours
        ("1.3.12.2.1107.5.9.1", "1.2.840.10008.1.2"),  # a vendor's own class
        ("1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.1.2.4.94"),  # pixels elsewhere
        ("1.2.840.10008.5.1.4.1.1.6.1", "1.2.3.4"),  # a vendor's own syntax
    ],
)
def test_what_cannot_be_served_is_not_supported(abstract: str, syntax: str) -> None:
    assert supported([build_context(abstract, syntax)]) == []


def test_each_class_reaches_the_storage_service() -> None:
    assert {uid_to_service_class(uid) for uid in STORAGE_CLASSES} == {StorageServiceClass}


def test_the_largest_proposal_there_can_be_is_judged_at_once() -> None:
    classes = sorted(STORAGE_CLASSES)[:128]
    proposed = [build_context(each, sorted(TRANSFER_SYNTAXES, key=UID)) for each in classes]
    began = time.perf_counter()
    assert len(supported(proposed)) == 128
    assert time.perf_counter() - began < 0.5
