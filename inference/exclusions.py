"""Why an instance takes no part, for reasons that no single pipeline owns."""

from inference.types import Code

SCHEME = "99ECHONODE"

NOT_DECODABLE = Code("NOT_DECODABLE", SCHEME, "Pixel data cannot be decoded")
PATIENT_DIFFERS = Code("PATIENT_DIFFERS", SCHEME, "Patient differs from rest of study")
FILES_REMOVED = Code("FILES_REMOVED", SCHEME, "Pixel data no longer kept")
STUDY_NOT_ANALYSED = Code("STUDY_NOT_ANALYSED", SCHEME, "Selected; no estimate from this study")
NOT_ANALYSED = Code("NOT_ANALYSED", SCHEME, "Could not be analysed")
