"""What is stored between prepare and conclude comes back as it was."""

import json

import numpy as np

from dicom_node.work.feature_codec import decode_features, encode_features
from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference.types import (
    Assessment,
    Classification,
    Code,
    Evidence,
    Exclusion,
    Features,
    Findings,
    Grade,
    InstanceRef,
    Measurement,
    ModelCard,
    Presence,
    Standing,
    Withheld,
)

LOOP = InstanceRef("1.2.840.10008.5.1.4.1.1.3.1", "1.2.3", "1.2", 7, 60, "US", "A4C")
CODE = Code("8414-5", "LN", "Pulmonary artery Mean blood pressure")
MODERATE = Code("6736007", "SCT", "Moderate")
MODEL = ModelCard("a", "1", "b", "2", "f" * 64, "2.25.1", Standing.PHANTOM, "research", ("p",))


def test_features_come_back_bit_for_bit_and_the_preview_as_a_picture() -> None:
    array = np.random.default_rng(1).normal(size=(3, 2048)).astype(np.float32)
    preview = np.tile(np.arange(200, dtype=np.uint8), (600, 1))
    features = Features({"mpap": array}, (1, 5, 9), ("fallback",), preview)
    back = decode_features(encode_features(features))
    assert np.array_equal(back.arrays["mpap"], array)
    assert (back.frames, back.notes) == (features.frames, features.notes)
    assert back.preview is not None
    assert back.preview.shape[0] == 240
    assert len(encode_features(features)) < array.nbytes + 30_000


def test_features_without_a_preview() -> None:
    assert decode_features(encode_features(Features({}, (1,)))).preview is None


def test_findings_come_back_equal_but_for_previews() -> None:
    findings = Findings(
        "Echo haemodynamics",
        MODEL,
        (Measurement("mPAP", CODE, 31.5, CODE, 20.0, 43.0, 0.9, 20.0, "ESC", CODE, None),),
        (Assessment("PH", CODE, Presence.PRESENT, "mPAP > 20 mmHg", 0.8),),
        (Grade("severity", CODE, (CODE, MODERATE), MODERATE, votes=(("A4C", MODERATE),)),),
        (Withheld("LGE", CODE, "too few patients"),),
        (Evidence(LOOP, (1, 2), 1, 1.0, 0.3, {"mpap": 2.0}, True, (), np.zeros((2, 2), np.uint8)),),
        (Exclusion(LOOP, CODE, "why"),),
        ("limit",),
    )
    assert decode_findings(encode_findings(findings)) == findings


def test_class_cautions_and_range_come_back() -> None:
    findings = Findings(
        "Echo haemodynamics",
        MODEL,
        (Measurement("PVR", CODE, 0.3, CODE, 0.3, 2.8, 0.9, 2.0, "ESC", model_range=(0.3, 40.0)),),
        (Assessment("PH", CODE, Presence.UNDETERMINED, "mPAP > 20 mmHg", 0.6, "not likely"),),
        cautions=("1 of 2 loops differ.",),
        classification=Classification("class", CODE, CODE, determined=False, reason="PH is open"),
    )
    assert decode_findings(encode_findings(findings)) == findings


def test_findings_of_an_earlier_release_are_still_read() -> None:
    findings = Findings(
        "Echo haemodynamics",
        MODEL,
        (Measurement("mPAP", CODE, 31.5, CODE, 20.0, 43.0, 0.9, 20.0, "ESC", CODE, None),),
        (Assessment("PH", CODE, Presence.PRESENT, "mPAP > 20 mmHg", 0.8),),
    )
    tree = json.loads(encode_findings(findings))
    del tree["cautions"], tree["classification"]
    del tree["measurements"][0]["model_range"], tree["assessments"][0]["reason"]
    assert decode_findings(json.dumps(tree)) == findings


def test_an_abstention_comes_back() -> None:
    findings = Findings("t", MODEL, abstention="no loop")
    assert decode_findings(encode_findings(findings)) == findings
