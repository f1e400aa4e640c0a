"""ECG pages: what is read of them, and what is not."""

from dataclasses import replace

import numpy as np
import pytest

from inference.ecg.leads import Leads
from inference.ecg.page.curve import curve
from inference.ecg.page.grid import find_grid
from inference.ecg.page.laws import contradiction
from inference.ecg.page.layouts import SIX_BY_TWO, TWELVE_BY_ONE
from inference.ecg.page.reading import Page, read_page
from inference.errors import InstanceExcludedError
from inference.phantom.ecg.pages.decoys import PageDecoy, page_decoy
from inference.phantom.ecg.pages.drawing import Paper, Style, draw_page
from inference.phantom.ecg.pages.wear import Wear, worn
from tests.unit.ecg_phantom import drawn

TOLERANCE_MV = 0.05

BREAKS = {
    PageDecoy.TABLE: {"grid", "layout", "calibration"},
    PageDecoy.PHOTO: {"grid"},
    PageDecoy.ULTRASOUND: {"grid"},
    PageDecoy.EMPTY_PAPER: {"grid", "told_from_grid", "layout"},
    PageDecoy.NO_GRID: {"grid"},
    PageDecoy.NO_PULSE: {"calibration"},
    PageDecoy.LEFT_HALF: {"layout"},
    PageDecoy.RIGHT_HALF: {"calibration"},
    PageDecoy.TOP_HALF: {"layout"},
    PageDecoy.SIX_ROWS_LEFT_HALF: {"limb_leads"},
    PageDecoy.UPSIDE_DOWN: {"calibration"},
    PageDecoy.MIRRORED: {"limb_leads"},
    PageDecoy.TOO_SKEWED: {"upright"},
    PageDecoy.CABRERA: {"limb_leads"},
    PageDecoy.TWO_GAINS: {"calibration"},
}


@pytest.fixture(scope="module")
def leads() -> Leads:
    return drawn().leads[:, ::2]


def worst_mv(page: Page, leads: Leads) -> float:
    """RMS of the difference to what was printed, of the worst lead; levels apart."""
    differences = page.leads - leads[:, : page.leads.shape[1]]
    return float(np.nanstd(differences, axis=1).max())


@pytest.mark.parametrize(
    ("style", "wear", "columns", "seconds"),
    [
        (Style(), Wear(), 4, 2.5),
        (Style(strips=(1, 6, 10), separators=True, paper=Paper.BLUE), Wear(), 4, 2.5),
        (Style(layout=SIX_BY_TWO, strips=(), paper=Paper.GREY), Wear(), 2, 5.0),
        (Style(layout=TWELVE_BY_ONE, strips=(), paper=Paper.ORANGE), Wear(), 1, 10.0),
        (Style(mm_per_s=50.0, width_mm=500.0, px_per_mm=6.0), Wear(), 4, 2.5),
        (Style(mm_per_mv=5.0), Wear(), 4, 2.5),
        (Style(mm_per_mv=20.0), Wear(skew_degrees=-4.8), 4, 2.5),
        (Style(), Wear(skew_degrees=2.3, grey=True, noise=5, blur_px=0.8, jpeg_quality=60), 4, 2.5),
        (Style(), Wear(folds=2, shade=0.3, scale=0.6), 4, 2.5),
    ],
    ids=[
        "3 x 4, strip",
        "three strips, separators",
        "6 x 2",
        "12 x 1",
        "50 mm/s",
        "5 mm/mV",
        "20 mm/mV, skewed",
        "grey, noisy, JPEG",
        "folded, small",
    ],
)
def test_a_page_gives_the_samples_that_were_printed(
    leads: Leads, style: Style, wear: Wear, columns: int, seconds: float
) -> None:
    page = read_page(worn(draw_page(leads, style), wear, np.random.default_rng(3)))
    assert (page.columns, page.seconds) == (columns, seconds)
    assert (page.mm_per_mv, page.mm_per_s) == (style.mm_per_mv, style.mm_per_s)
    assert worst_mv(page, leads) <= TOLERANCE_MV


@pytest.mark.parametrize("kind", PageDecoy)
def test_what_is_no_whole_page_is_excluded(leads: Leads, kind: PageDecoy) -> None:
    with pytest.raises(InstanceExcludedError) as excluded:
        read_page(page_decoy(kind, leads, np.random.default_rng(1)))
    assert excluded.value.verdict.rule in BREAKS[kind]


def test_writing_across_traces_excludes_a_page(leads: Leads) -> None:
    wear = Wear(strokes=40, black_strokes=True)
    page = worn(draw_page(leads, Style()), wear, np.random.default_rng(1))
    with pytest.raises(InstanceExcludedError) as excluded:
        read_page(page)
    assert excluded.value.verdict.rule in {"unmarked", "layout", "traces", "calibration"}


def test_rows_that_run_into_each_other_exclude_a_page(leads: Leads) -> None:
    style = Style(layout=TWELVE_BY_ONE, strips=())
    with pytest.raises(InstanceExcludedError) as excluded:
        read_page(draw_page(leads * 3, style))
    assert excluded.value.verdict.rule in {"traces", "layout", "calibration"}


@pytest.mark.parametrize("degrees", [0.0, 1.7, -4.9])
@pytest.mark.parametrize("px_per_mm", [4.0, 10.0])
def test_a_grid_is_measured_to_a_thousandth(leads: Leads, degrees: float, px_per_mm: float) -> None:
    style = Style(px_per_mm=px_per_mm)
    wear = Wear(skew_degrees=degrees)
    grid = find_grid(worn(draw_page(leads, style), wear, np.random.default_rng(1)))
    assert grid
    np.testing.assert_allclose(grid.px_per_mm, px_per_mm, rtol=1e-3)
    assert grid.degrees == pytest.approx(-degrees, abs=0.05)


def test_a_spike_narrower_than_the_pen_keeps_its_height() -> None:
    spike = np.full(200, 100.0)
    spike[100] = 60.0
    pen = 5
    reach = [slice(max(at - 2, 0), at + 3) for at in range(200)]
    top = np.array([spike[here].min() for here in reach]) - pen / 2
    bottom = np.array([spike[here].max() for here in reach]) + pen / 2
    line = curve(top, bottom, pen)
    assert line[100] == pytest.approx(60, abs=0.5)
    np.testing.assert_allclose(line[:90], 100, atol=0.1)


def test_limb_leads_obey_their_laws_and_others_do_not(leads: Leads) -> None:
    assert contradiction(leads) < 0.01
    assert contradiction(leads[6:]) > 0.5
    swapped = leads[[0, 1, 2, 3, 5, 4]]
    assert contradiction(swapped) > 0.35


def test_leads_that_no_law_joins_are_in_doubt(leads: Leads) -> None:
    alone = np.full_like(leads, np.nan)
    alone[0] = leads[0]
    assert contradiction(alone) == 1.0


def test_equal_pages_are_read_equally(leads: Leads) -> None:
    page = draw_page(leads, replace(Style(), px_per_mm=6.0))
    np.testing.assert_array_equal(read_page(page).leads, read_page(page).leads)
