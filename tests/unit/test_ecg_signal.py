"""Cleaning, beats and pictures of leads in mV."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from inference.ecg.beats import BEFORE, median_beat, r_waves
from inference.ecg.cleaning import at_500_hz, for_model, longest_whole, without_hum, without_wander
from inference.ecg.drawing import HEIGHT, MOST_MV, WIDTH, lead_pictures, sheet
from inference.ecg.leads import LEADS, disagreement_mv
from inference.ecg.recording import Recording, choose, record
from inference.ecg.waveform import Content, read_groups
from tests.unit.ecg_phantom import drawn

SECONDS = np.arange(5000) / 500


@pytest.fixture(scope="module")
def real() -> tuple[Recording, Recording, list[int]]:
    """A cart's ECG, its own median beat, and the samples of its fiducial points (1000 Hz)."""
    dataset = dcmread(str(get_testdata_file("waveform_ecg.dcm")))
    groups = read_groups(dataset)
    points = [
        int(item.ReferencedSamplePositions)
        for item in dataset.WaveformAnnotationSequence
        if "ConceptNameCodeSequence" in item
        and item.ConceptNameCodeSequence[0].CodeMeaning == "Fiducial Point"
        and list(item.ReferencedWaveformChannels) == [1, 0]
    ]
    rhythm = record(dataset, choose(groups))
    return rhythm, record(dataset, choose(groups, Content.MEDIAN_BEAT)), sorted(points)


def leads_of(wave: np.ndarray) -> np.ndarray:
    return np.tile(wave, (12, 1))


@pytest.mark.parametrize("frequency_hz", [240, 250, 300, 500, 1000])
def test_a_wave_keeps_its_height_at_500_hz(frequency_hz: int) -> None:
    seconds = np.arange(10 * frequency_hz) / frequency_hz
    leads = at_500_hz(leads_of(np.sin(2 * np.pi * 10 * seconds)), frequency_hz)
    assert leads.shape == (12, 5000)
    inside = slice(100, -100)
    np.testing.assert_allclose(
        leads[0, inside], np.sin(2 * np.pi * 10 * SECONDS)[inside], atol=0.01
    )


def test_a_gap_stays_a_gap_at_500_hz() -> None:
    leads = leads_of(np.ones(2500))
    leads[3, 1000:1250] = np.nan
    resampled = at_500_hz(leads, 250)
    missing = np.flatnonzero(np.isnan(resampled[3]))
    assert missing[0] in {1999, 2000}
    assert missing[-1] in {2499, 2500}
    np.testing.assert_allclose(resampled[~np.isnan(resampled)], 1, atol=1e-3)


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_the_hum_of_the_mains_goes_and_slow_waves_stay(mains_hz: int) -> None:
    slow = np.sin(2 * np.pi * 3 * SECONDS)
    hum = 0.2 * np.sin(2 * np.pi * mains_hz * SECONDS)
    clean = without_hum(leads_of(slow + hum), mains_hz)  # type: ignore[arg-type]
    np.testing.assert_allclose(clean[0, 20:-20], slow[20:-20], atol=0.012)


def test_wander_goes_and_the_heart_stays() -> None:
    wander = 0.8 * np.sin(2 * np.pi * 0.15 * SECONDS) + 2.0
    beat = np.sin(2 * np.pi * 4 * SECONDS)
    steady = without_wander(leads_of(wander + beat))
    np.testing.assert_allclose(steady[0], beat, atol=0.3)  # at the edges, of 0.8 mV of wander
    np.testing.assert_allclose(steady[0, 1000:-1000], beat[1000:-1000], atol=0.02)


def test_the_longest_stretch_without_a_gap_is_taken() -> None:
    leads = leads_of(np.ones(1000))
    leads[4] = np.nan  # a lead that is not there is no gap
    leads[2, 300:310] = np.nan
    assert longest_whole(leads) == slice(310, 1000)


def test_a_model_gets_zeros_where_there_is_nothing() -> None:
    leads = leads_of(np.ones(4200))
    leads[4, :100] = np.nan
    fixed = for_model(leads)
    assert fixed.shape == (12, 5000)
    assert fixed.dtype == np.float32
    assert fixed.sum() == 12 * 4200 - 100


def test_r_waves_lie_where_the_cart_has_found_them(
    real: tuple[Recording, Recording, list[int]],
) -> None:
    rhythm, _, points = real
    leads = without_wander(at_500_hz(rhythm.mv, rhythm.frequency_hz))
    waves = r_waves(leads) * 2
    expected = [point for point in points if point != 501]  # that of the median beat
    assert len(waves) == 10
    for wave, point in zip(waves, expected, strict=True):
        assert abs(wave - point) <= 60


def test_the_median_beat_is_that_of_the_cart(
    real: tuple[Recording, Recording, list[int]],
) -> None:
    rhythm, cart, _ = real
    leads = without_wander(at_500_hz(rhythm.mv, rhythm.frequency_hz))
    beat = median_beat(leads, r_waves(leads))
    assert beat is not None
    assert (beat.found, beat.of) == (10, 10)
    assert beat.rr_mean_ms == pytest.approx(983, abs=1)
    theirs = at_500_hz(cart.mv, cart.frequency_hz)
    width = beat.leads.shape[1]
    offset = max(
        range(theirs.shape[1] - width),
        key=lambda at: np.corrcoef(beat.leads[1], theirs[1, at : at + width])[0, 1],
    )
    for ours, their in zip(beat.leads, theirs[:, offset : offset + width], strict=True):
        difference = ours - their
        assert np.std(difference) < 0.02


def test_a_real_cart_obeys_einthoven(real: tuple[Recording, Recording, list[int]]) -> None:
    assert disagreement_mv(real[0].mv) < 0.005


def test_the_median_beat_is_the_phantoms_true_one() -> None:
    ecg = drawn()
    leads = without_wander(ecg.leads[:, ::2])
    beat = median_beat(leads, r_waves(leads))
    assert beat is not None
    true = ecg.beat[:, ::2]
    size = np.abs(true).sum(axis=0)
    largest = int(np.sqrt((true**2).sum(axis=0)).argmax())
    assert size.max() > 0
    theirs = true[:, largest - BEFORE // 2 : largest + 150]
    ours = beat.leads[:, BEFORE - BEFORE // 2 : BEFORE + 150]
    for one, other in zip(ours, theirs, strict=True):
        assert np.std(one - other) < 0.05


def test_a_beat_of_another_kind_is_left_out() -> None:
    leads = without_wander(drawn().leads[:, ::2])
    waves = r_waves(leads)
    plain = median_beat(leads, waves)
    odd = leads.copy()
    odd[:, waves[4] - 40 : waves[4] + 60] *= -1.5
    beat = median_beat(odd, waves)
    assert plain is not None
    assert beat is not None
    assert (beat.found, beat.of) == (len(waves), len(waves) - 1)
    assert np.abs(beat.leads - plain.leads).max() < 0.05


def test_a_flat_line_has_no_beat() -> None:
    leads = np.zeros((12, 5000))
    assert median_beat(leads, r_waves(leads)) is None


def test_the_small_pictures_have_one_scale() -> None:
    leads = np.full((12, 5000), np.nan)
    leads[0], leads[1], leads[2] = 0.0, 1.0, 9.0
    pictures = lead_pictures(leads)
    assert pictures.shape == (12, HEIGHT, WIDTH, 3)
    assert pictures.dtype == np.uint8
    rows = [np.flatnonzero((picture < 200).any(axis=(1, 2))) for picture in pictures]
    assert rows[0].mean() == pytest.approx(HEIGHT / 2 - 0.5, abs=0.6)
    assert rows[1].mean() == pytest.approx(HEIGHT / 2 - 0.5 - HEIGHT / (2 * MOST_MV), abs=0.6)
    assert rows[2].max() <= 1  # beyond the edge is drawn at the edge
    assert all(row.size == 0 for row in rows[3:])
    assert (pictures[3:] == 255).all()


def test_the_columns_of_the_small_pictures_follow_each_other_in_time() -> None:
    leads = np.zeros((12, 5000))
    leads[:, 3750 + 625] = 1.5  # one spike, in the last quarter
    lit = (lead_pictures(leads)[:, : HEIGHT // 3] < 200).any(axis=(1, 2, 3))
    assert [name for name, is_lit in zip(LEADS, lit, strict=True) if is_lit] == ["V4", "V5", "V6"]


def test_the_sheet_shows_1_mv_as_10_mm() -> None:
    leads = np.zeros((12, 5000))
    leads[1, 2500:] = 1.0
    ink = (sheet(leads) < 80).all(axis=2)
    # Lead II as rhythm, before and after the step: one column of pixels each.
    strip = ink[-32 * 6 : -5 * 6]
    before, after = (np.flatnonzero(strip[:, x]).mean() for x in ((12 + 80) * 6, (12 + 200) * 6))
    assert before - after == pytest.approx(10 * 6, abs=1)


def test_a_sheet_of_limb_leads_is_as_large_as_one_of_twelve() -> None:
    leads = np.zeros((12, 5000))
    limb = leads.copy()
    limb[6:] = np.nan
    assert sheet(leads).shape == sheet(limb).shape
    assert (sheet(leads) != sheet(limb)).any()
