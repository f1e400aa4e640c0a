"""Haemodynamics of an invented cohort, tuned to the published one.

Aim (MIDL 2026 paper, Table 1): mPAP 36 +- 16 mmHg, PAWP 12 +- 5 mmHg, PVR 6 +- 5 WU, a quarter
without pulmonary hypertension.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Haemodynamics:
    """The true state of the pulmonary circulation at one exam."""

    mpap_mmhg: float
    pawp_mmhg: float
    cardiac_output_l_min: float
    rap_mmhg: float

    @property
    def pvr_wu(self) -> float:
        """Pulmonary vascular resistance: transpulmonary gradient over cardiac output."""
        return (self.mpap_mmhg - self.pawp_mmhg) / self.cardiac_output_l_min

    @property
    def spap_mmhg(self) -> float:
        """Systolic pressure by Chemla's rule, mPAP = 0.61 sPAP + 2."""
        return (self.mpap_mmhg - 2) / 0.61

    @property
    def trvmax_m_s(self) -> float:
        """Peak tricuspid regurgitation velocity by the Bernoulli equation."""
        return float(np.sqrt(max(self.spap_mmhg - self.rap_mmhg, 1.0) / 4))


@dataclass(frozen=True, slots=True)
class Catheterisation:
    """What the right heart catheter and the echo lab wrote down; `trvmax_m_s` may be missing."""

    mpap_mmhg: float
    pvr_wu: float
    pawp_mmhg: float
    trvmax_m_s: float | None


def draw(rng: np.random.Generator) -> Haemodynamics:
    """Draw one patient: no PH (23 %), left heart disease (22 %) or pre-capillary PH (55 %)."""
    group = rng.random()
    if group < 0.23:
        mpap = rng.uniform(11, 20)
        pawp = np.clip(rng.normal(9.5, 3), 4, 15)
    elif group < 0.45:
        pawp = np.clip(rng.normal(18, 4.5), 15.1, 32)
        mpap = pawp + np.clip(rng.gamma(2.2, 7.5), 4, 40)
    else:
        pawp = np.clip(rng.normal(9.8, 3), 3, 15)
        mpap = np.clip(rng.normal(45, 13.5), 21, 85)
    return _around(float(mpap), float(pawp), rng)


def expected(mpap_mmhg: float, pawp_mmhg: float = 10.0) -> Haemodynamics:
    """The typical patient at these pressures: cardiac output and right atrial pressure as expected.

    Raises:
        ValueError: the pressures are impossible (mPAP 8..90 mmHg, PAWP 2 mmHg or more below it).
    """
    if not (8 <= mpap_mmhg <= 90 and 2 <= pawp_mmhg <= mpap_mmhg - 2):
        raise ValueError(
            f"impossible pressures: mPAP {mpap_mmhg:g}, PAWP {pawp_mmhg:g} mmHg; "
            "mPAP must lie in 8..90 and PAWP at least 2 below it"
        )
    return _around(mpap_mmhg, pawp_mmhg, None)


def later(state: Haemodynamics, rng: np.random.Generator) -> Haemodynamics:
    """The same patient at a later visit: better or worse by several mmHg."""
    pawp = float(np.clip(state.pawp_mmhg + rng.normal(0, 2), 3, 32))
    mpap = float(np.clip(state.mpap_mmhg + rng.normal(-1, 6), 11, 85))
    return _around(mpap, pawp, rng)


def measure(state: Haemodynamics, noise_mmhg: float, rng: np.random.Generator) -> Catheterisation:
    """Catheterise on another day: `noise_mmhg` is the standard deviation of mPAP around the truth.

    PAWP carries a third of it, cardiac output a relative error that grows with it. A quarter of
    the exams have no tricuspid regurgitation to measure.
    """
    error, wedge, flow, doppler = rng.normal(size=4)
    pawp = float(np.clip(state.pawp_mmhg + noise_mmhg / 3 * wedge, 2, 40))
    mpap = float(np.clip(state.mpap_mmhg + noise_mmhg * error, max(pawp + 2, 8), 95))
    output = state.cardiac_output_l_min * float(np.exp(noise_mmhg / 60 * flow))
    velocity = state.trvmax_m_s + float(0.25 * doppler)
    measurable = rng.random() >= 0.25
    return Catheterisation(
        mpap_mmhg=round(mpap, 1),
        pvr_wu=round((mpap - pawp) / output, 2),
        pawp_mmhg=round(pawp, 1),
        trvmax_m_s=round(max(velocity, 1.0), 2) if measurable else None,
    )


def _around(mpap: float, pawp: float, rng: np.random.Generator | None) -> Haemodynamics:
    mpap = max(mpap, pawp + 2)
    flow_error, atrium_error = (0.0, 0.0) if rng is None else rng.normal(size=2)
    output = np.clip(5.2 - 0.018 * (mpap - 20) + 1.1 * flow_error, 2.2, 9)
    rap = np.clip(3 + 0.14 * (mpap - 15) + 0.25 * (pawp - 10) + 2.6 * atrium_error, 0, 25)
    return Haemodynamics(mpap, pawp, float(output), float(rap))
