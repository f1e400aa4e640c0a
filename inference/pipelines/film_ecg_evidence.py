"""What an estimate of cxr_ecg rests on: the film part by part, and the ECG."""

from inference.ecg.drawing import Pixels
from inference.explaining.occlusion import PARTS
from inference.pipelines import film_ecg_words as words
from inference.pipelines.film_ecg_bundle import TARGET
from inference.pipelines.film_ecg_fusion import Fused
from inference.pipelines.film_ecg_inputs import kept_channels
from inference.pipelines.film_ecg_pairing import Near
from inference.pipelines.film_ecg_picture import film_picture
from inference.pipelines.haemodynamics import QUANTITIES
from inference.population import AGE_UNKNOWN
from inference.radiograph.rules import AP_NOTE, EITHER_NOTE
from inference.types import Encoded, Evidence, Measurement, Picture

#: Notes on a film that are limitations of the whole estimate.
SAID_OF_THE_ESTIMATE = frozenset({AP_NOTE, EITHER_NOTE, AGE_UNKNOWN})


def film_evidence(film: Encoded, fused: Fused, measurement: Measurement) -> Evidence:
    """The film, with what hiding each of its parts does to the estimate."""
    changes = dict(zip(PARTS, fused.parts, strict=True))
    total = sum(map(abs, fused.parts))
    own = tuple(note for note in film.features.notes if note not in SAID_OF_THE_ESTIMATE)
    parts = words.parts_hidden(measurement.name, changes.items(), measurement.decimals + 1)
    return Evidence(
        instance=film.instance,
        frames=film.features.frames,
        rank=1,
        weight=None,
        score=0.0,
        effects={f"{TARGET}, {part} hidden": change for part, change in changes.items()},
        relevant=True,
        notes=(*own, parts),
        preview=film.features.preview,
        noun=words.FILM,
        shares={part: abs(change) / total for part, change in changes.items()} if total else {},
    )


def ecg_evidence(near: Near, drawn: Pixels, fused: Fused) -> Evidence:
    """The ECG as it is drawn, with the estimate's change without it."""
    ecg = near.ecg
    return Evidence(
        instance=ecg.instance,
        frames=ecg.features.frames,
        rank=2,
        weight=None,
        score=0.0,
        effects={TARGET: fused.without_ecg},
        relevant=True,
        notes=(words.apart(near.days), *ecg.features.notes),
        preview=drawn,
        noun=words.ECG,
        channels=kept_channels(ecg),
    )


def pictures(
    film: Encoded, near: Near, ecg: Pixels, fused: Fused, measurement: Measurement
) -> tuple[Picture, ...]:
    """The film with what its parts do, and the ECG as a cardiologist knows it."""
    preview, decimals = film.features.preview, measurement.decimals + 1
    unit = QUANTITIES[TARGET].unit.meaning
    change = f"{fused.without_ecg:+z.{decimals}f} {unit}"
    caption = f"{words.apart(near.days)} Without it {measurement.name} changes by {change}."
    shown = Picture(caption, ecg)
    if preview is None:
        return (shown,)
    return film_picture(preview, fused.parts, measurement.name, unit, decimals), shown
