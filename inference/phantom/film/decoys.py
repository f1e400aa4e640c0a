"""What else an X-ray room sends: films that each break one rule, and some that only pixels tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydicom.dataset import Dataset

from inference.phantom.film.storing import VARIANTS, FilmClass, Scale, Storing


class FilmDecoyKind(StrEnum):
    """One kind of film that is no usable frontal chest film."""

    FOR_PROCESSING = "for_processing"
    LATERAL = "lateral"
    OBLIQUE = "oblique"
    HAND = "hand"
    CHILD = "child"
    DOG = "dog"
    BONE_SUPPRESSED = "bone_suppressed"
    SCREENSHOT = "screenshot"
    UNLABELLED_LATERAL = "unlabelled_lateral"
    UNLABELLED_HAND = "unlabelled_hand"


class Picture(StrEnum):
    """What a film shows."""

    FRONTAL = "frontal"
    LATERAL = "lateral"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class FilmDecoy:
    """How a decoy differs from the film of the same chest.

    `breaks` names the selection rule; "" where no header tells, and a classifier has to.
    """

    breaks: str
    picture: Picture = Picture.FRONTAL
    view: str = "PA"
    part: str = "CHEST"
    storing: Storing = Storing(FilmClass.DX)  # noqa: RUF009 - it is immutable
    also: dict[str, Any] = field(default_factory=dict)


def _dog() -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "448771007", "SCT"
    item.CodeMeaning = "Canis lupus subspecies familiaris"
    return [item]


_RAW = Storing(FilmClass.DX_FOR_PROCESSING, 14, Scale.NONE, white_is_zero=True)
_CAPTURED = Storing(FilmClass.SECONDARY_CAPTURE, 8, Scale.NONE)

FILM_DECOYS: Mapping[FilmDecoyKind, FilmDecoy] = {
    FilmDecoyKind.FOR_PROCESSING: FilmDecoy("for_presentation", storing=_RAW),
    FilmDecoyKind.LATERAL: FilmDecoy("not_lateral", Picture.LATERAL, view="LL"),
    FilmDecoyKind.OBLIQUE: FilmDecoy("frontal", view="RLO"),
    FilmDecoyKind.HAND: FilmDecoy("chest", Picture.HAND, part="HAND"),
    FilmDecoyKind.CHILD: FilmDecoy("adult", also={"PatientAge": "004Y"}),
    FilmDecoyKind.DOG: FilmDecoy(
        "no_animal",
        Picture.LATERAL,
        view="",
        storing=VARIANTS[0],
        also={
            "PatientSpeciesDescription": "Canis lupus familiaris",
            "PatientSpeciesCodeSequence": _dog(),
            "PatientBreedDescription": "",
            "PatientBreedCodeSequence": [],
            "BreedRegistrationSequence": [],
            "PatientSexNeutered": "",
            "ResponsiblePerson": "",
            "ResponsibleOrganization": "",
        },
    ),
    FilmDecoyKind.BONE_SUPPRESSED: FilmDecoy(
        "unprocessed",
        also={
            "ImageType": ["DERIVED", "PRIMARY", ""],
            "DerivationDescription": "SYNTHETIC: bone suppression",
        },
    ),
    FilmDecoyKind.SCREENSHOT: FilmDecoy("radiograph", storing=_CAPTURED, also={"Modality": "OT"}),
    FilmDecoyKind.UNLABELLED_LATERAL: FilmDecoy("", Picture.LATERAL, view="", storing=VARIANTS[0]),
    FilmDecoyKind.UNLABELLED_HAND: FilmDecoy("", Picture.HAND, storing=_CAPTURED),
}
