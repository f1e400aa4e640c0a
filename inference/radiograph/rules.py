"""Which instances are films of an adult's chest that a model can look at, and why not."""

import re
from collections.abc import Callable, Iterator, Mapping

from pydicom import Dataset

from inference import population
from inference.dicom.elements import integer, items, text, texts
from inference.dicom.header import instance_ref
from inference.exclusions import reason, rejection
from inference.population import adult, human
from inference.radiograph.views import View, stated_view
from inference.types import Code, Selected, Selection, Verdict

COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RADIOGRAPH_SOP_CLASS_UIDS = frozenset(
    {COMPUTED_RADIOGRAPHY, FOR_PRESENTATION, FOR_PROCESSING, SECONDARY_CAPTURE}
)
#: Of what is called a radiograph, whatever its SOP class.
MODALITIES = frozenset({"CR", "DX", "RG"})

NOT_A_RADIOGRAPH = reason("NOT_A_RADIOGRAPH", "Not a radiograph")
RAW_FILM = reason("FOR_PROCESSING", "Radiograph for processing, not for presentation")
SEVERAL_FRAMES = reason("SEVERAL_FRAMES", "More than one frame")
NOT_GREY = reason("NOT_GREY", "Radiograph has colours")
NOT_CHEST = reason("NOT_CHEST", "Not a radiograph of the chest")
PROCESSED = reason("PROCESSED", "Radiograph was processed beyond its presentation")
LATERAL_VIEW = reason("LATERAL_VIEW", "Lateral view")
OTHER_VIEW = reason("OTHER_VIEW", "View is neither PA nor AP")
#: For the pixels to say, where the header names no view.
VIEW_UNCERTAIN = reason("VIEW_UNCERTAIN", "View cannot be determined")

AP_NOTE = "AP film: the model was trained on PA films."
EITHER_NOTE = "The film is PA or AP, it does not say which: the model was trained on PA films."
DERIVED_NOTE = "The film was derived from another image, as its Image Type says."

Rule = Callable[[Dataset], Verdict]

_CHEST_WORDS = frozenset({"CHEST", "THORAX", "TORAX", "LUNG", "LUNGS", "CXR"})
_BESIDE_CHEST = frozenset({"PA", "AP", "PORT", "PORTABLE", "VIEW", "VIEWS", "XR", "X", "RAY"})
#: Chest, thorax and lung by SNOMED CT and SNOMED RT (PS3.16 CID 4031).
_CHEST_CODES = frozenset({"816094009", "51185008", "39607008", "T-D3000", "T-28000"})
#: What names a picture that was made of a film, or of several; never what a film just has gone
#: through, such as the gradation that Derivation Description tells of.
_MADE_OF_FILMS = re.compile(
    r"""bone \W* suppress | suppressed | soft \W* tissue | subtract | dual \W* energy
    | energy \W* subtr | bone \W* (image|only) | tomosynth | stitch | heat \W* map | \bCAD\b
    | edge \W* enhanc | (line|tube|catheter|nodule) \W* enhanc | colou?ri[sz]ed | \bMIP\b""",
    re.IGNORECASE | re.VERBOSE,
)
#: Derivations (PS3.16 CID 7203) that leave the picture what it is: lossy compression, resampling.
_HARMLESS_DERIVATIONS = frozenset({"113040", "113085"})
_ANIMALS = re.compile(r"\b(canine|feline|equine|bovine|veterinar\w*|dogs?|cats?)\b", re.IGNORECASE)


def radiograph(header: Dataset) -> Verdict:
    """Rule 0: the SOP class is one of CR, DX or secondary capture, the modality of radiographs."""
    modality = text(header, "Modality").upper()
    if text(header, "SOPClassUID") not in RADIOGRAPH_SOP_CLASS_UIDS:
        return Verdict("radiograph", False, "SOP class of another kind of object")
    detail = f"modality {modality or 'not stated'}"
    return Verdict("radiograph", modality in MODALITIES, detail)


def for_presentation(header: Dataset) -> Verdict:
    """Rule 1: it is meant to be looked at, not to be processed first."""
    raw = (
        text(header, "SOPClassUID") == FOR_PROCESSING
        or text(header, "PresentationIntentType").upper() == "FOR PROCESSING"
    )
    return Verdict("for_presentation", not raw, "for processing" if raw else "for presentation")


def single_frame(header: Dataset) -> Verdict:
    """Rule 2: it is one picture."""
    frames = integer(header, "NumberOfFrames") or 1
    return Verdict("single_frame", frames == 1, f"{frames} frame{'s' if frames != 1 else ''}")


def grey(header: Dataset) -> Verdict:
    """Rule 3: it has one sample that runs from black to white or back."""
    photometric = text(header, "PhotometricInterpretation").upper()
    samples = integer(header, "SamplesPerPixel") or 1
    passed = samples == 1 and photometric in {"MONOCHROME1", "MONOCHROME2"}
    return Verdict("grey", passed, f"{samples} sample(s) of {photometric or 'no stated kind'}")


def no_animal(header: Dataset) -> Verdict:
    """Rule 4: the patient is no animal, by its species, or as devices for animals name a view."""
    verdict = human(header)
    said = text(header, "AcquisitionDeviceProcessingDescription")
    if verdict.passed and _ANIMALS.search(said):
        return Verdict("no_animal", False, "acquired with a programme for animals")
    return Verdict("no_animal", verdict.passed, verdict.detail)


def chest(header: Dataset) -> Verdict:
    """Rule 6: the part of the body is the chest alone, or not stated."""
    part = text(header, "BodyPartExamined").upper()
    words = set(re.findall(r"[A-Z]+", part))
    codes = {text(item, "CodeValue") for item in items(header, "AnatomicRegionSequence")} - {""}
    if part:
        passed = bool(words & _CHEST_WORDS) and words <= _CHEST_WORDS | _BESIDE_CHEST
        return Verdict("chest", passed, "chest" if passed else "another part of the body")
    if codes:
        passed = codes <= _CHEST_CODES
        return Verdict("chest", passed, "chest by code" if passed else "another part by code")
    return Verdict("chest", True, "part of the body not stated")


def unprocessed(header: Dataset) -> Verdict:
    """Rule 7: it is the film itself, not a picture that was computed from films.

    Image Type DERIVED\\PRIMARY alone does not tell, as it stands in what was only compressed, too.
    """
    said = (
        *texts(header, "ImageType"),
        text(header, "DerivationDescription"),
        text(header, "SeriesDescription"),
        text(header, "AcquisitionDeviceProcessingDescription"),
    )
    captured = text(header, "SOPClassUID") == SECONDARY_CAPTURE  # and secondary by its nature
    made = any(_MADE_OF_FILMS.search(each.replace("_", " ")) for each in said)
    if made or (_derived(header, "SECONDARY") and not captured):
        return Verdict("unprocessed", False, "computed from films")
    codes = {text(item, "CodeValue") for item in items(header, "DerivationCodeSequence")} - {""}
    if codes - _HARMLESS_DERIVATIONS:
        return Verdict("unprocessed", False, "derived by more than compression")
    return Verdict("unprocessed", True, "the film itself")


def _derived(header: Dataset, value_2: str) -> bool:
    return texts(header, "ImageType")[:2] == ("DERIVED", value_2)


def not_lateral(header: Dataset) -> Verdict:
    """Rule 8: it is not seen from the side."""
    view = stated_view(header)
    return Verdict("not_lateral", view is not View.LATERAL, f"view {view}")


def frontal(header: Dataset) -> Verdict:
    """Rule 9: the view is PA or AP, or not stated: then its pixels have to show it."""
    view = stated_view(header)
    return Verdict("frontal", view not in {View.LATERAL, View.OTHER}, f"view {view}")


RULES: tuple[Rule, ...] = (
    radiograph,
    for_presentation,
    single_frame,
    grey,
    no_animal,
    adult,
    chest,
    unprocessed,
    not_lateral,
    frontal,
)
#: Why an instance takes no part: one code per rule.
REASONS: Mapping[str, Code] = {
    "radiograph": NOT_A_RADIOGRAPH,
    "for_presentation": RAW_FILM,
    "single_frame": SEVERAL_FRAMES,
    "grey": NOT_GREY,
    "no_animal": population.NOT_HUMAN,
    "adult": population.UNDER_18,
    "chest": NOT_CHEST,
    "unprocessed": PROCESSED,
    "not_lateral": LATERAL_VIEW,
    "frontal": OTHER_VIEW,
}
_VIEW_NOTES = {View.AP: AP_NOTE, View.FRONTAL: EITHER_NOTE}


def select(header: Dataset) -> Selection:
    """Judge one instance by its header; the first rule that fails is the reason. Never raises.

    The plan holds `view` ("PA", "AP", "frontal" or "": then a classifier must ask the pixels) and
    `notes` for the reader.
    """
    verdicts = tuple(rule(header) for rule in RULES)
    instance = instance_ref(header)
    if rejected := rejection(instance, verdicts, REASONS):
        return rejected
    view = stated_view(header)
    plan = {"view": "" if view is View.UNKNOWN else view.value, "notes": list(_notes(header, view))}
    return Selected(instance, verdicts, plan)


def _notes(header: Dataset, view: View) -> Iterator[str]:
    if view in _VIEW_NOTES:
        yield _VIEW_NOTES[view]
    if _derived(header, "PRIMARY") and text(header, "LossyImageCompression") != "01":
        yield DERIVED_NOTE
