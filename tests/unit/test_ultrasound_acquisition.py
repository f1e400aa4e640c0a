"""Stress, contrast and probes within the body: told by headers, left out by both profiles."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence

from inference.types import Rejected, Selected
from inference.ultrasound.profile import Profile
from inference.ultrasound.selection import select
from tests.unit.ultrasound_files import cine

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def reason(profile: Profile, **attributes: Any) -> str:
    selection = select(cine(**attributes), profile)
    return selection.reason.value if isinstance(selection, Rejected) else ""


def code(meaning: str, value: str = "X1") -> DicomSequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99X", meaning
    return DicomSequence([item])


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "Stress Echo"},
        {"StudyDescription": "DSE"},
        {"StudyDescription": "Dobutamine echocardiogram"},
        {"SeriesDescription": "Exercise echo, bicycle"},
        {"StudyDescription": "Belastungsechokardiographie"},
        {"StudyDescription": "Échocardiographie d'effort"},
        {"ProtocolName": "Exer - 2 Stg"},
        {"ProcedureCodeSequence": code("", "93351")},
        {"StageName": "POST-EXERCISE"},
        {"StageName": "Peak"},
        {"StageName": "Recovery"},
        {"StageName": "Immediate Post"},
        {"StageName": "IMPOST"},
        {"StageName": "Pico"},
        {"StageName": "20mcg/kg/min"},
        {"StageName": "50 W"},
        {"StudyDescription": "Ecostress"},
        {"StudyDescription": "ESE"},
        {"StageName": "Low Dose", "StageNumber": 2, "NumberOfStages": 4},
        {"StageNumber": 2},
        {"NumberOfStages": 4},
        {"NumberOfStages": 4, "StageNumber": 1},
        {"StageName": "Baseline", "StageNumber": 3, "NumberOfStages": 4},
        {"StageName": "Rest and Stress", "StageNumber": 1, "NumberOfStages": 2},
        {"StudyDescription": "Rest/Stress Echo"},
    ],
)
def test_a_stress_examination_is_left_out(profile: Profile, attributes: dict[str, Any]) -> None:
    assert reason(profile, **attributes) == "STRESS"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"StageName": "Baseline", "StageNumber": 1, "NumberOfStages": 4},
        {"StageName": "REST", "StudyDescription": "Stress Echo"},
        {"StageName": "Pre-Exercise", "StageNumber": 1, "NumberOfStages": 2},
        {"StageName": "Ruhe", "StudyDescription": "Stressecho", "StageNumber": 1},
        {"StageNumber": 0, "NumberOfStages": 1, "ViewNumber": 3, "NumberOfViewsInStage": 20},
        {"StageName": "Parasternal", "StageNumber": 1, "NumberOfStages": 1},
    ],
)
def test_clear_rest_before_the_stress_and_a_single_stage_take_part(
    profile: Profile, attributes: dict[str, Any]
) -> None:
    assert reason(profile, **attributes) == ""


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"ContrastBolusAgent": "SONOVUE"},
        {"ContrastBolusAgentSequence": code("Perflutren")},
        {"StudyDescription": "Echo LVO"},
        {"SeriesDescription": "Definity"},
        {"SeriesDescription": "A4C Optison"},
        {"StudyDescription": "Kontrastechokardiographie"},
        {"ProtocolName": "Adult Echo Contrast"},
        {"StageName": "Lumason"},
        {"StudyDescription": "TTE with bubble study"},
    ],
)
def test_contrast_is_left_out(profile: Profile, attributes: dict[str, Any]) -> None:
    assert reason(profile, **attributes) == "CONTRAST_AGENT"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "TTE without contrast"},
        {"StudyDescription": "Echo complete w/o contrast"},
        {"StudyDescription": "TTE W/WO CONTRAST"},
        {"StudyDescription": "Echo ohne Kontrastmittel"},
        {"ContrastBolusAgent": "NONE"},
    ],
)
def test_the_word_contrast_alone_is_no_contrast(
    profile: Profile, attributes: dict[str, Any]
) -> None:
    assert reason(profile, **attributes) == ""


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "TEE"},
        {"StudyDescription": "Transesophageal Echocardiogram"},
        {"StudyDescription": "Transösophageale Echokardiographie"},
        {"SeriesDescription": "TOE theatre 3", "StudyDescription": "Cardiac echo"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "TEE", "0001"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "INTRACARDIAC"]},
        {"TransducerType": "ENDOCAV_PA"},
        {"TransducerType": "IV_PHASED"},
        {"Modality": "IVUS"},
        {"StudyDescription": "ETE"},
        {"TransducerData": ["X8_2T", "1", ""]},
        {"TransducerData": "6VT-D"},
        {"TransducerApplicationCodeSequence": code("Transesophageal")},
        {"ProcedureCodeSequence": code("", "93312")},
    ],
)
def test_a_probe_within_the_body_is_left_out(profile: Profile, attributes: dict[str, Any]) -> None:
    assert reason(profile, **attributes) == "TRANSOESOPHAGEAL"


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    "attributes",
    [
        {"StudyDescription": "TTE/TEE"},
        {"TransducerData": ["S5-1", "55360", ""]},
        {"TransducerData": ["X5-1"]},
        {"TransducerData": "M5Sc-D"},
        {"TransducerData": "4V1c"},
        {"TransducerType": "SECTOR_PHASED"},
    ],
)
def test_a_probe_on_the_chest_takes_part(profile: Profile, attributes: dict[str, Any]) -> None:
    assert isinstance(select(cine(**attributes), profile), Selected)
