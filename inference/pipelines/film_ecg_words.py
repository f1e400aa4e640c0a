"""What reports of cxr_ecg call things, and the sentences that they say."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from inference.exclusions import reason
from inference.types import Code, Exclusion, Words

FILM, ECG = "film", "ECG"

WORDS = Words(
    noun=FILM,
    nouns="films and ECGs",
    reference="catheter value",
    reservation=(
        "Estimated from a chest film and an ECG, not measured invasively; does not replace right "
        "heart catheterisation."
    ),
    finding=Code("44324008", "SCT", "Hemodynamic Measurements"),
    procedure=Code("168537006", "SCT", "Plain radiography"),
    body_part="CHEST",
    hl7_section="RX",
)
#: Without an estimate nothing says that the film shows a chest at all.
WORDS_WITHOUT_ESTIMATE = replace(WORDS, body_part="")

TITLE = "Pulmonary artery pressure estimated from chest film and ECG"
TITLE_WITHOUT_ESTIMATE = "Pulmonary artery pressure"

OTHER_FILM = reason("OTHER_FILM", "Another film of the study was used")
NOT_NEAR = reason("ECG_NOT_NEAR", "ECG too long before or after the film")

NO_FILM = "no film of the study is a frontal chest film that can be analysed."
NO_ECG = "there is no ECG of the patient near the film in time; the model needs both."
CANNOT_SCREEN = (
    "No verdict on PH: the model was not trained to tell patients with PH from others, so it "
    "cannot screen."
)
NO_INTERVALS = "The model has no calibrated intervals."
EXPLANATION = (
    "What is said of the parts of the film and of the ECG explains the model; it is no finding."
)
WITHOUT_THE_ECG = (
    "Without the ECG means: with the mean of what the model saw in the ECGs of its training."
)


def no_usable_ecg(excluded: Sequence[Exclusion]) -> str:
    """Why the ECGs that came do not do, with the reason where they share one."""
    reasons = {item.reason.meaning for item in excluded}
    shared = f" ({reasons.pop()})" if len(reasons) == 1 else ""
    count = "the ECG" if len(excluded) == 1 else f"none of the {len(excluded)} ECGs"
    verb = "cannot" if len(excluded) == 1 else "can"
    return f"{count} near the film in time {verb} be used{shared}; the model needs both."


def apart(days: float) -> str:
    """How far an ECG lies from its film; `days` after it, negative before."""
    side = "after" if days > 0 else "before"
    distance = abs(days)
    if distance * 24 < 1:
        return "The ECG was recorded within an hour of the film."
    if distance < 1:
        return f"The ECG was recorded {distance * 24:.0f} h {side} the film."
    return f"The ECG was recorded {distance:.1f} days {side} the film."


def clocks_disagree(noun: str, days: float) -> str:
    """That the time in an instance and the date of its study lie days apart."""
    return (
        f"The clocks may be wrong: the time of the {noun} and the date of its study lie "
        f"{days:.1f} days apart."
    )


def parts_hidden(name: str, changes: Iterable[tuple[str, float]], decimals: int) -> str:
    """What hiding each part of the film does to an estimate."""
    told = ", ".join(f"{part} {change:+z.{decimals}f}" for part, change in changes)
    return f"Change of {name} when a part of the film is hidden: {told}."
