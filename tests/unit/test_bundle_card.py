"""The model card: one page, made of the manifest, sealed into the bundle."""

import json
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
import torch

from inference.bundle.card import MODEL_CARD_FILE, Elsewhere, model_card
from inference.bundle.checking import check
from inference.bundle.loading import MANIFEST_FILE, load_bundle, read_manifest, read_model_card
from inference.bundle.manifest import Cohort, Evaluated, Network, Withheld, digest_of
from inference.errors import BundleError
from tests.unit.bundles import SMALL, description, three_headed

CPU = torch.device("cpu")
FIGURES = {
    **{f"{name}.mae": 5.72 for name in ("mPAP", "PVR", "PAWP")},
    **{f"{name}.bias": -0.04 for name in ("mPAP", "PVR", "PAWP")},
    **{f"{name}.pcc": 0.888 for name in ("mPAP", "PVR", "PAWP")},
    **{f"{name}.coverage": 0.85 for name in ("mPAP", "PVR", "PAWP")},
    **{f"{name}.interval_width": 22.1 for name in ("mPAP", "PVR", "PAWP")},
    **{f"stated.ph.{name}": 0.9 for name in ("sensitivity", "specificity", "undetermined")},
}
LONG = "Trained on exams of one archive & its <carts>, which may differ from yours in many ways. "


def page(**changes: object) -> str:
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    return model_card(description((spec,), **changes))


def test_a_bundle_carries_its_card_and_seals_it(tmp_path: Path) -> None:
    manifest = three_headed(tmp_path / "bundle", evaluation=FIGURES)
    card = read_model_card(tmp_path / "bundle", manifest)
    assert card is not None
    assert card == (tmp_path / "bundle" / MODEL_CARD_FILE).read_text()
    assert load_bundle(tmp_path / "bundle", CPU).manifest == manifest
    assert len(card) < 20_000


def test_the_card_is_made_of_the_manifest_alone(tmp_path: Path) -> None:
    manifest = three_headed(tmp_path / "bundle", evaluation=FIGURES)
    assert model_card(manifest) == read_model_card(tmp_path / "bundle", manifest)


@pytest.mark.parametrize("damage", ["changed", "missing", "a folder"])
def test_a_damaged_card_is_refused(tmp_path: Path, damage: str) -> None:
    three_headed(tmp_path / "bundle")
    path = tmp_path / "bundle" / MODEL_CARD_FILE
    text = path.read_text()
    path.unlink()
    if damage == "changed":
        path.write_text(text.replace("Not for patients", "For all patients"))
    elif damage == "a folder":
        path.mkdir()
    with pytest.raises(BundleError, match=MODEL_CARD_FILE):
        load_bundle(tmp_path / "bundle", CPU)
    assert len(check(tmp_path / "bundle")) == 1


def test_a_bundle_of_an_older_format_has_none_and_loads(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    three_headed(bundle)
    document = json.loads((bundle / MANIFEST_FILE).read_text())
    del document["model_card_sha256"]
    document["format_version"] = 2
    document["digest"] = digest_of(document)
    (bundle / MANIFEST_FILE).write_text(json.dumps(document))
    (bundle / MODEL_CARD_FILE).unlink()
    assert read_model_card(bundle, read_manifest(bundle)) is None
    load_bundle(bundle, CPU)


def test_the_card_says_standing_use_figures_population_limits_and_licence() -> None:
    people = {"patients": "398", "female patients": "240 of 398 known"}
    cohort = Cohort(description="716 exams", exams={"train": 472, "test": 139}, population=people)
    card = page(evaluation=FIGURES, cohort=cohort)
    for words in (
        *("PHANTOM", "Not for patients", "Testing the node.", "139 exams", "240 of 398 known"),
        *("5.7", "0.89", "0.85; promised 0.90", "reported as present 0.90", "Synthetic."),
        *("CC0-1.0", "0.0"),
    ):
        assert words in card, words


def test_intervals_and_what_is_withheld_stand_in_the_card() -> None:
    figures = FIGURES | {"mPAP.mae": Evaluated(value=5.72, low=4.9, high=6.5)}
    card = page(evaluation=figures, withheld=(Withheld(name="other", reason="no signal"),))
    assert "5.7 (4.9 to 6.5)" in card
    assert "other withheld: no signal." in card


def test_what_a_packer_writes_is_text_and_never_markup() -> None:
    card = page(intended_use="<script>alert(1)</script>", licence="A & B")
    assert "<script>" not in card
    assert "A &amp; B" in card


def test_a_card_needs_nothing_from_elsewhere() -> None:
    card = page(evaluation=FIGURES)
    assert "http" not in card
    assert "src=" not in card
    assert "url(" not in card


def test_no_sentence_is_cut_however_long_and_many_they_are() -> None:
    limits = tuple(f"{number} of 1390 exams: {LONG * 10}end {number}." for number in range(12))
    parts = {"intended_use": f"{LONG * 10}For research.", "licence": f"{LONG * 10}As agreed."}
    withheld = (Withheld(name="other", reason=f"{LONG * 10}it does not exclude chance"),)
    card = unescape(page(limitations=limits, withheld=withheld, evaluation=FIGURES, **parts))
    for words in (*limits, *parts.values(), withheld[0].sentence):
        assert words in card
    assert "..." not in card


def test_what_a_card_has_no_room_for_is_refused_before_it_is_packed(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="shorten intended use, limitations or licence"):
        three_headed(tmp_path / "bundle", limitations=("a" * 2000,) * 120)
    assert not (tmp_path / "bundle").exists()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium to print the card")
def test_a_card_with_every_part_prints_on_one_page(tmp_path: Path) -> None:
    cohort = Cohort(
        description=LONG * 2,
        exams={"train": 4720, "validation": 1050, "test": 1390},
        population={f"a property of the patients {n}": "36.0 ± 16.0 (n = 4720)" for n in range(10)},
    )
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    full = description(
        (spec,),
        evaluation={
            name: Evaluated(value=0.9, low=0.85, high=0.95)
            for name in (*FIGURES, *(f"stated.pre-capillary_ph.{each}" for each in _STATED))
        },
        cohort=cohort,
        intended_use=LONG * 3,
        limitations=(LONG * 2,) * 5,
        licence=LONG,
    )
    row = ["0.85 (0.78 to 0.91)"] * 4
    other = Elsewhere(LONG * 2, ["", *"ABCD"], [[name, *row] for name in ("mPAP", "PVR", "PAWP")])
    html, pdf = tmp_path / "card.html", tmp_path / "card.pdf"
    html.write_text(model_card(full, other))
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={pdf}", html.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert pdf.read_bytes().count(b"/Type /Page\n") == 1


_STATED = ("sensitivity", "specificity", "undetermined")
