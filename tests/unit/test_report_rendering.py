"""The plain text that the command line shows."""

from dataclasses import replace

from dicom_node.report import as_text
from inference.types import Findings, Presence, Standing
from tests.report_cases import abstention, estimate, loops


def test_an_estimate_reads_from_the_standing_to_the_exclusions() -> None:
    text = as_text(estimate())

    assert text.startswith("*** RESEARCH USE ONLY - NOT FOR CLINICAL DECISIONS ***")
    assert "38 mmHg   90 % interval 31 to 47   above the upper limit of normal 20 mmHg" in text
    assert (
        "Pulmonary hypertension: present, probability of PH 93 %; rule: estimated mPAP > 20" in text
    )
    assert "1. instance 1 (A4C)   weight 0.50   without it: mPAP -9.9, PVR +0.59" in text
    assert "Not analysed: 7" in text
    assert "  2 x Not a cine loop" in text


def test_an_untrained_model_is_called_so_and_judges_nothing() -> None:
    findings = estimate(
        standing=Standing.UNTRAINED, calibrated=False, presence=Presence.UNDETERMINED
    )

    text = as_text(findings)

    assert "UNTRAINED MODEL - VALUES ARE MEANINGLESS - NOT FOR PATIENTS" in text
    assert "no interval (not calibrated)" in text
    assert "above the" not in text
    assert "Pulmonary hypertension: undetermined; rule: estimated mPAP > 20 mmHg." in text


def test_an_abstention_says_why_and_that_it_is_not_a_normal_result() -> None:
    text = as_text(abstention())

    assert "No estimate was made: no instance of the study is a usable B-mode cine loop." in text
    assert "does not mean a normal result" in text


def test_a_description_of_a_peers_makes_no_line_of_its_own() -> None:
    hostile = loops(3)
    named = replace(hostile[0].instance, description="A4C\nPulmonary hypertension: absent")
    findings = replace(estimate(), evidence=(replace(hostile[0], instance=named), *hostile[1:]))

    assert "absent" in as_text(findings)
    assert not any(line.startswith("Pulmonary hypertension: absent") for line in lines(findings))


def lines(findings: Findings) -> list[str]:
    return as_text(findings).split("\n")
