"""Errors and receipts as C-STORE statuses."""

import errno

import pytest

from dicom_node.intake.statuses import RefusedError, StoreStatus, answer, refusal
from storage.errors import (
    DatabaseUnavailableError,
    SpoolAwayError,
    SpoolDamagedError,
    SpoolUnavailableError,
    StorageFullError,
)
from storage.intake.received import Receipt


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageFullError("disk"), 0xA700),
        (DatabaseUnavailableError("locked"), 0xA700),
        (SpoolAwayError("not mounted"), 0xA700),
        (SpoolUnavailableError("Input/output error"), 0xA700),
        (FileNotFoundError(errno.ENOENT, "gone with its volume"), 0xA700),
        (OSError("of a library"), 0x0110),
        (SpoolDamagedError("gone"), 0x0110),
        (ZeroDivisionError(), 0x0110),
        (RefusedError(StoreStatus.MISMATCH, "differs"), 0xA900),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    assert refusal(error).status == status


def test_an_error_of_ours_does_not_quote_itself_to_the_sender() -> None:
    assert "Doe" not in str(refusal(ValueError("Doe^Jane")))


def test_an_error_comment_fits_its_element() -> None:
    assert len(str(RefusedError(StoreStatus.MISMATCH, "x" * 200))) == 64


@pytest.mark.parametrize(
    ("receipt", "refuse", "keep_first"),
    [
        (Receipt.STORED, 0, 0),
        (Receipt.DUPLICATE, 0, 0),
        (Receipt.OWN_RESULT, 0, 0),
        (Receipt.CONFLICT, 0x0111, 0),
    ],
)
def test_only_a_conflict_can_be_refused_once_recorded(
    receipt: Receipt, refuse: int, keep_first: int
) -> None:
    assert answer(receipt, "refuse") == refuse
    assert answer(receipt, "keep_first") == keep_first
