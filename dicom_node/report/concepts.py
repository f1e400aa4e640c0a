"""The coded concepts of the report, and the private scheme for those that no one has coded yet."""

from inference.exclusions import SCHEME
from inference.types import Code, Normality, Presence

PRIVATE_SCHEME = SCHEME
PRIVATE_SCHEME_NAME = "echonode result codes"

# Document and containers: TID 1500, 1501, 1600
REPORT_TITLE = Code("126000", "DCM", "Imaging Measurement Report")
KEY_OBJECT_TITLE = Code("113000", "DCM", "Of Interest")
IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
NOT_ANALYSED = Code("NOT-ANALYSED", PRIVATE_SCHEME, "Not analysed")

# Report in words: TID 2000, its headings (CID 7001) and what stands below them (CID 7002)
TEXT_REPORT_TITLE = Code("18748-4", "LN", "Diagnostic Imaging Report")
SUMMARY = Code("121111", "DCM", "Summary")
PROCEDURE_DESCRIPTIONS = Code("121064", "DCM", "Current Procedure Descriptions")
PROCEDURE_DESCRIPTION = Code("121065", "DCM", "Procedure Description")
FINDINGS = Code("121070", "DCM", "Findings")
IMPRESSIONS = Code("121072", "DCM", "Impressions")
IMPRESSION = Code("121073", "DCM", "Impression")
KEY_IMAGES = Code("121180", "DCM", "Key Images")

# Context: TID 1204, 1001, 1004
LANGUAGE = Code("121049", "DCM", "Language of Content Item and Descendants")
ENGLISH = Code("en-GB", "RFC5646", "English (United Kingdom)")
OBSERVER_TYPE = Code("121005", "DCM", "Observer Type")
DEVICE = Code("121007", "DCM", "Device")
DEVICE_UID = Code("121012", "DCM", "Device Observer UID")
DEVICE_NAME = Code("121013", "DCM", "Device Observer Name")
DEVICE_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
DEVICE_MODEL_NAME = Code("121015", "DCM", "Device Observer Model Name")
DEVICE_SERIAL_NUMBER = Code("121016", "DCM", "Device Observer Serial Number")
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
PROCESSING_EQUIPMENT = Code("109102", "DCM", "Processing Equipment")

# Measurement groups: TID 1501, 300, 310, 4019
TRACKING_IDENTIFIER = Code("112039", "DCM", "Tracking Identifier")
TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
FINDING = Code("121071", "DCM", "Finding")
METHOD = Code("370129005", "SCT", "Measurement Method")
AI_ESTIMATION = Code("AI-ESTIMATION", PRIVATE_SCHEME, "Estimation by artificial intelligence")
ALGORITHM_FAMILY = Code("111000", "DCM", "Algorithm Family")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
ALGORITHM_MANUFACTURER = Code("122405", "DCM", "Algorithm Manufacturer")
DERIVATION = Code("121401", "DCM", "Derivation")
ESTIMATED = Code("414135002", "SCT", "Estimated")
CALCULATED = Code("258090004", "SCT", "Calculated")
FINDING_SITE = Code("363698007", "SCT", "Finding Site")
NORMALITY = Code("121402", "DCM", "Normality")
NORMAL = Code("17621005", "SCT", "Normal")
ABNORMALLY_HIGH = Code("371879000", "SCT", "Abnormally High")
#: Normality of a measurement -> Normality (121402); the rest is not stated.
NORMALITIES = {Normality.NORMAL: NORMAL, Normality.HIGH: ABNORMALLY_HIGH}
#: CID 42 "Numeric Value Qualifier"
OUT_OF_RANGE = Code("114009", "DCM", "Value out of range")
NORMAL_UPPER_LIMIT = Code("371933006", "SCT", "Normal Range Upper Limit")
NORMAL_RANGE_AUTHORITY = Code("121408", "DCM", "Normal Range Authority")
UNCERTAINTY_ABOVE = Code("371886008", "SCT", "+, range of upper measurement uncertainty")
UNCERTAINTY_BELOW = Code("371885007", "SCT", "-, range of lower measurement uncertainty")
SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
YES = Code("373066001", "SCT", "Yes")
NO = Code("373067005", "SCT", "No")

# Earlier studies: TID 1502 with CID 280, and what they say in words (CID 6053, 7001, 7002)
TIME_POINT = Code("C2348792", "UMLS", "Time Point")
TEMPORAL_OFFSET = Code("128740", "DCM", "Longitudinal Temporal Offset from Event")
TEMPORAL_EVENT = Code("128741", "DCM", "Longitudinal Temporal Event Type")
BASELINE = Code("121079", "DCM", "Baseline")
DAYS = Code("d", "UCUM", "day")
COMPARISON = Code("111424", "DCM", "Comparison to previous studies")
PREVIOUS_FINDINGS = Code("18834-2", "LN", "Previous Findings")
PREVIOUS_FINDING = Code("121069", "DCM", "Previous Finding")
TREND = Code("122151", "DCM", "Trend")
INCREASED = Code("35105006", "SCT", "Increased")
DECREASED = Code("1250004", "SCT", "Decreased")
NO_CHANGE_SHOWN = Code("NO-CHANGE-SHOWN", PRIVATE_SCHEME, "No change beyond the uncertainty")

# Evaluations, references, remarks
COMMENT = Code("121106", "DCM", "Comment")
SOURCE = Code("260753009", "SCT", "Source")
MODALITY = Code("121139", "DCM", "Modality")
ESTIMATE_STATUS = Code("ESTIMATE-STATUS", PRIVATE_SCHEME, "Status of the estimate")
NOT_ESTIMATED = Code("NOT-ESTIMATED", PRIVATE_SCHEME, "No estimate was made")
WITHDRAWN = Code("WITHDRAWN", PRIVATE_SCHEME, "The report is withdrawn")
KEY_OBJECT_DESCRIPTION = Code("113012", "DCM", "Key Object Description")

PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")

#: CID 240 "Present-Absent"
PRESENCE = {
    Presence.PRESENT: Code("52101004", "SCT", "Present"),
    Presence.ABSENT: Code("272519000", "SCT", "Absent"),
    Presence.UNDETERMINED: Code("373068000", "SCT", "Undetermined"),
}


def attention_weight(noun: str) -> Code:
    """The private concept "share of the model's attention that one input has"."""
    return Code("ATTENTION-WEIGHT", PRIVATE_SCHEME, f"Attention weight of the {noun}"[:64])


def relevance(noun: str) -> Code:
    """The private concept "whether one input is relevant for the estimate"."""
    meaning = f"{noun[:1].upper()}{noun[1:]} is relevant for the estimate"
    return Code(f"{_short(noun, 7)}-RELEVANT", PRIVATE_SCHEME, meaning[:64])


def effect_of_leaving_out(measurement: str, noun: str) -> Code:
    """The private concept "how much this estimate changes when an input is left out"."""
    return Code(
        f"LEFT-OUT-{measurement.upper()}"[:16],
        PRIVATE_SCHEME,
        f"Change of {measurement} when the {noun} is left out"[:64],
    )


def share(part: str) -> Code:
    """The private concept "share of what the model looked at that lies in one part of an input"."""
    meaning = f"Share of what the model looked at in {part}"
    return Code(f"SHARE-{_short(part, 10)}", PRIVATE_SCHEME, meaning[:64])


def _short(words: str, most: int) -> str:
    """Words as a part of a code value (SH, 16 characters in all)."""
    return words.upper().replace(" ", "-")[:most]
