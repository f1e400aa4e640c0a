"""How hard the phantom is to read: three named presets."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """What stands between the true haemodynamics and what a model gets to see."""

    name: str
    label_noise_mmhg: float
    """Standard deviation of the catheter's mPAP around the truth at the time of the echo."""
    anatomy_spread: float
    """Scale of the differences between hearts of equal haemodynamics, in an echo."""
    electric_spread: float
    """The same in an ECG."""
    film_spread: float
    """The same in a chest film. Of 1, 2 and 3, a linear model that sees the whole film explains
    about 0.85, 0.45 and 0.18 of the variance of mPAP."""
    off_axis: float
    """Standard deviation of the relative error of a size, from planes beside the standard one."""
    tilt_deg: float
    """Standard deviation of the probe's rotation in the plane."""
    gain_db: float
    """Standard deviation of the depth gain curve around flat."""
    irregular: float
    """Share of exams with an irregular rhythm."""
    respiration_period_s: float
    """Short as a sniff, or as long as quiet breathing, of which one beat shows little."""
    qualities: tuple[float, float, float]
    """Shares of good, acceptable and suboptimal loops."""


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="easy",
            label_noise_mmhg=0.0,
            anatomy_spread=1.0,
            electric_spread=1.0,
            film_spread=2.0,
            off_axis=0.0,
            tilt_deg=5,
            gain_db=1.0,
            irregular=0.0,
            respiration_period_s=0.9,
            qualities=(0.35, 0.40, 0.25),
        ),
        Preset(
            name="realistic",
            label_noise_mmhg=9.0,
            anatomy_spread=1.0,
            electric_spread=1.7,
            film_spread=3.0,
            off_axis=0.06,
            tilt_deg=8,
            gain_db=2.0,
            irregular=0.12,
            respiration_period_s=2.5,
            qualities=(0.30, 0.40, 0.30),
        ),
        Preset(
            name="hard",
            label_noise_mmhg=9.0,
            anatomy_spread=1.3,
            electric_spread=2.4,
            film_spread=4.0,
            off_axis=0.14,
            tilt_deg=12,
            gain_db=3.5,
            irregular=0.25,
            respiration_period_s=3.5,
            qualities=(0.15, 0.40, 0.45),
        ),
    )
}


def preset_named(name: str) -> Preset:
    """Find a preset by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
