"""A settled document is written as pydicom alone would write it."""

from copy import deepcopy

import pytest

from dicom_node.report import NO_NOTICE
from dicom_node.report.content import report_content
from dicom_node.report.encoding import settle
from dicom_node.report.header import ObjectSpec, encode, start
from inference.types import Findings
from tests import report_cases as cases

_SPEC = ObjectSpec("1.2.840.10008.5.1.4.1.1.88.34", "SR", "SR", 9001, "AI, unverified")


@pytest.mark.parametrize("findings", [cases.estimate(5), cases.abstention()])
def test_the_bytes_are_the_same(findings: Findings) -> None:
    study = cases.study()  # its patient's name is not ASCII
    document = start(_SPEC, study, cases.IDENTITY, findings.model, cases.MADE_AT)
    document.update(report_content(findings, study, cases.IDENTITY, None, NO_NOTICE))
    settled = deepcopy(document)
    settle(settled)
    assert encode(settled, cases.IDENTITY) == encode(document, cases.IDENTITY)
