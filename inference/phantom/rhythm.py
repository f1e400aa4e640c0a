"""When the heart beats: R waves, phase, contraction, inflow and respiration over time."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of the heart in one frame, each value in 0..1."""

    contraction: float
    """0 at end diastole, 1 at end systole."""
    inflow: float
    """How far the atrioventricular valves are open."""
    inspiration: float


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The R waves of one loop in ms from its first frame, and the breathing under it."""

    r_waves_ms: tuple[float, ...]
    respiration_period_s: float
    respiration_start: float

    def inside(self, duration_ms: float) -> tuple[float, ...]:
        """The R waves that fall into the first `duration_ms` of the loop."""
        return tuple(r for r in self.r_waves_ms if 0 <= r < duration_ms)

    def at(self, time_ms: float) -> Moment:
        """The state of the heart at a time of the loop."""
        following = int(np.searchsorted(self.r_waves_ms, time_ms, side="right"))
        following = min(max(following, 1), len(self.r_waves_ms) - 1)
        start, end = self.r_waves_ms[following - 1], self.r_waves_ms[following]
        phase = (time_ms - start) / (end - start) % 1.0
        breath = time_ms / 1000 / self.respiration_period_s + self.respiration_start
        return Moment(
            contraction=contraction(phase),
            inflow=inflow(phase),
            inspiration=float(0.5 - 0.5 * np.cos(2 * np.pi * breath)),
        )


def draw(
    rng: np.random.Generator,
    *,
    heart_rate_bpm: float,
    irregular: bool,
    respiration_period_s: float,
    beats: int,
) -> Rhythm:
    """Draw `beats` whole RR intervals, the first R wave within a third of a beat of the start.

    One more beat lies before the loop and one after it, so that every frame has a phase. An
    irregular rhythm varies each interval by a sixth (standard deviation), a regular one by 1 %.
    """
    mean_ms = 60_000 / heart_rate_bpm
    spread = 1 / 6 if irregular else 0.01
    intervals = mean_ms * np.clip(rng.normal(1, spread, beats + 2), 0.65, 1.5)
    waves = np.cumsum(intervals) - intervals[0] + rng.uniform(0.06, 0.3) * mean_ms
    before = waves[0] - intervals[0]
    return Rhythm(
        r_waves_ms=(float(before), *(float(wave) for wave in waves)),
        respiration_period_s=respiration_period_s,
        respiration_start=float(rng.random()),
    )


def contraction(phase: float) -> float:
    """Contraction over the phase 0..1 from R wave to R wave; the peak lies at 0.35."""
    if phase < 0.35:
        return float(np.sin(phase / 0.35 * np.pi / 2) ** 2)
    if phase < 0.58:
        return float(np.cos((phase - 0.35) / 0.23 * np.pi / 2) ** 2)
    return 0.0


def inflow(phase: float) -> float:
    """Opening of the mitral and tricuspid valve: closed in systole, E wave, diastasis, A wave."""
    if phase < 0.04 or 0.06 < phase < 0.5:
        return 0.0
    early = np.exp(-(((phase - 0.64) / 0.09) ** 2))
    atrial = 0.7 * np.exp(-(((phase - 0.92) / 0.05) ** 2))
    resting = 0.3 * np.clip((phase - 0.5) / 0.08, 0, 1)
    return float(min(early + atrial + resting, 1.0))
