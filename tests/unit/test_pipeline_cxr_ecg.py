"""Pipeline cxr_ecg: one film, the ECG that is nearest to it, and what is said of both."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pytest import approx

from dicom_node.work.findings_codec import decode_findings, encode_findings
from inference.bundle.loading import load_bundle
from inference.bundle.manifest import FilmAndEcgPreprocessing, Population
from inference.dicom.header import read_header
from inference.ecg.page.rules import REASONS as PAGE_REASONS
from inference.ecg.rules import REASONS as ECG_REASONS
from inference.errors import BundleError, InferenceError, InstanceExcludedError
from inference.explaining.occlusion import PARTS
from inference.models.film_and_ecg import FilmAndEcg, stacked
from inference.models.film_view import FilmViewNetwork
from inference.phantom.ecg.decoys import DECOYS, DecoyKind
from inference.phantom.ecg.forms import FORMS, FormKind
from inference.phantom.ecg.making import write_decoy, write_form
from inference.phantom.film.decoys import FILM_DECOYS, FilmDecoyKind
from inference.phantom.film.storing import VARIANTS, FilmClass
from inference.phantom.film.writing import FilmTags, write
from inference.pipeline import load_pipeline
from inference.pipelines import film_ecg_words as words
from inference.pipelines.cxr_ecg import load
from inference.pipelines.film_ecg_inputs import EcgLook, FilmLook
from inference.population import AGE_UNKNOWN, NOT_HUMAN, OUTSIDE_AGES
from inference.radiograph.rules import (
    AP_NOTE,
    EITHER_NOTE,
    LATERAL_VIEW,
    OTHER_VIEW,
    VIEW_UNCERTAIN,
)
from inference.radiograph.rules import REASONS as FILM_REASONS
from inference.types import (
    Case,
    Code,
    Encoded,
    Exclusion,
    Findings,
    Presence,
    Rejected,
    Selected,
    Standing,
    StudyRef,
)
from tests.peers import shared
from tests.unit import ecg_phantom, films
from tests.unit.film_bundles import CURVE, MPAP, everything_is, film_bundle
from tests.unit.films import write_film

UNSTATED = next(each for each in VARIANTS if each.film_class is FilmClass.SECONDARY_CAPTURE)
FILM_STUDY = StudyRef("1.2.1", "20240115080000")
ECG_STUDY = StudyRef("1.2.2", "20240117080000")


class Bench:
    """The pipeline with a small bundle, and one film and one ECG as it encodes them."""

    def __init__(
        self, folder: Path, views: FilmViewNetwork | None = None, **bundle: object
    ) -> None:
        self.folder = folder
        film_bundle(folder / "bundle", views, **bundle)
        self.pipeline = load(folder / "bundle", "cpu")
        film = write_film(folder / "film.dcm", PatientBirthDate="19600101")
        ecg = write_form(
            folder / "ecg.dcm", ecg_phantom.STUDY, 1, ecg_phantom.drawn(), FormKind.MDC
        )
        self.film_look, self.ecg_look = self.look(film), self.look(ecg)
        assert isinstance(self.film_look, FilmLook)
        assert isinstance(self.ecg_look, EcgLook)
        made = self.pipeline.encode([self.film_look, self.ecg_look])
        references = [self.selected(film).instance, self.selected(ecg).instance]
        self.film = Encoded(references[0], made[0], FILM_STUDY)
        self.ecg = Encoded(references[1], made[1], ECG_STUDY)

    def selected(self, file: Path) -> Selected:
        selection = self.pipeline.select(read_header(file))
        assert isinstance(selection, Selected), selection
        return selection

    def look(self, file: Path) -> FilmLook | EcgLook:
        return self.pipeline.look(file, self.selected(file))

    def why_not(self, file: Path) -> Code:
        """Why a file takes no part."""
        selection = self.pipeline.select(read_header(file))
        if isinstance(selection, Rejected):
            return selection.reason
        with pytest.raises(InstanceExcludedError) as raised:
            self.pipeline.look(file, selection)
        return raised.value.reason

    def conclude(self, *encoded: Encoded, exclusions: Sequence[Exclusion] = ()) -> Findings:
        return self.pipeline.conclude(Case(encoded, FILM_STUDY), exclusions)

    def network(self) -> FilmAndEcg:
        bundle = load_bundle(self.folder / "bundle", torch.device("cpu"))
        network = bundle.by_prefix["fusion"]
        assert isinstance(network, FilmAndEcg)
        return network


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("cxr"))


@pytest.fixture(scope="module")
def screening(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Of a bundle whose cohort held patients without PH."""
    return Bench(tmp_path_factory.mktemp("screening"), probabilities=CURVE)


def at(item: Encoded, when: str, uid: str = "", **changes: object) -> Encoded:
    """The same film or ECG, acquired at another time; with a UID it is another one."""
    uid = uid or item.instance.sop_instance_uid
    instance = replace(item.instance, acquired_at=when, sop_instance_uid=uid)
    return replace(item, instance=instance, **changes)  # type: ignore[arg-type]


def noted(film: Encoded, *notes: str) -> Encoded:
    return replace(film, features=replace(film.features, notes=notes))


def used(findings: Findings) -> list[str]:
    return [item.instance.sop_instance_uid for item in findings.evidence]


def excluded(findings: Findings) -> dict[str, str]:
    return {item.instance.sop_instance_uid: item.reason.value for item in findings.exclusions}


# The estimate


def test_the_estimate_is_the_networks_and_lies_in_its_interval(bench: Bench) -> None:
    z = bench.network()(_patches(bench), stacked(bench.ecg_look.pictures[None]))
    [measurement] = bench.conclude(bench.film, bench.ecg).measurements
    assert measurement.value == approx(MPAP.mean + MPAP.sd * float(z[0, 0]), abs=1e-3)
    assert (measurement.concept.value, measurement.concept.scheme) == ("8414-5", "LN")
    assert measurement.low == approx(measurement.value - 12)
    assert measurement.high == approx(measurement.value + 12)


def test_the_effect_of_the_ecg_is_the_change_to_the_usual_one(bench: Bench) -> None:
    network = bench.network()
    features = network.film_features(_patches(bench))
    z = network.fuse(features, None).mean(dim=1)
    findings = bench.conclude(bench.film, bench.ecg)
    _, ecg = findings.evidence
    without = MPAP.mean + MPAP.sd * float(z[0, 0])
    assert ecg.effects["mPAP"] == approx(without - findings.measurements[0].value, abs=1e-3)


def _patches(bench: Bench) -> torch.Tensor:
    return torch.from_numpy(bench.film_look.patches)[None, :, None]


def test_the_effect_of_a_part_is_the_change_when_it_is_grey(bench: Bench) -> None:
    network, pictures = bench.network(), stacked(bench.ecg_look.pictures[None])
    effects = bench.conclude(bench.film, bench.ecg).evidence[0].effects
    assert list(effects) == [f"mPAP, {part} hidden" for part in PARTS]
    hidden = _patches(bench).clone()
    hidden[..., :18, 37:] = bench.film_look.grey  # of 56 pixels
    z = network(hidden, pictures) - network(_patches(bench), pictures)
    assert effects["mPAP, upper right hidden"] == approx(MPAP.sd * float(z), abs=1e-3)


def test_of_the_papers_grid_a_part_is_a_patch(tmp_path: Path) -> None:
    fed = FilmAndEcgPreprocessing(film="grid", film_px=128)
    bench = Bench(tmp_path, preprocessing=fed)
    network, pictures = bench.network(), stacked(bench.ecg_look.pictures[None])
    findings = bench.conclude(bench.film, bench.ecg)
    z = network(_patches(bench), pictures)
    assert findings.measurements[0].value == approx(MPAP.mean + MPAP.sd * float(z), abs=1e-3)
    hidden = _patches(bench).clone()
    assert hidden.shape[1] == 9
    hidden[0, 5] = bench.film_look.grey
    change = MPAP.sd * float(network(hidden, pictures) - z)
    found = findings.evidence[0].effects
    assert found["mPAP, middle right hidden"] == approx(change, abs=1e-3)


def test_what_is_shown_is_the_film_with_its_parts_and_the_twelve_leads(bench: Bench) -> None:
    findings = bench.conclude(bench.film, bench.ecg)
    film, ecg = findings.pictures
    assert film.method is not None
    assert "when a part is hidden" in film.caption
    assert ecg.method is None
    assert ecg.pixels.shape[1] > 2 * ecg.pixels.shape[0] - 100
    assert len(findings.evidence[1].channels) == 12
    assert sum(findings.evidence[0].shares.values()) == approx(1)


def test_the_order_in_which_they_came_changes_nothing(bench: Bench) -> None:
    assert bench.conclude(bench.ecg, bench.film) == bench.conclude(bench.film, bench.ecg)


# What is not said


def test_a_bundle_that_knows_only_patients_with_ph_says_nothing_of_ph(bench: Bench) -> None:
    findings = bench.conclude(bench.film, bench.ecg)
    assert findings.assessments == ()
    assert findings.cautions == (words.CANNOT_SCREEN,)
    assert findings.measurements[0].upper_limit is None


def test_one_of_a_mixed_cohort_gives_its_verdict(screening: Bench) -> None:
    findings = screening.conclude(screening.film, screening.ecg)
    [verdict] = findings.assessments
    assert verdict.concept.value == "70995007"
    assert verdict.presence in Presence
    assert verdict.probability is not None
    assert findings.cautions == ()
    assert findings.measurements[0].upper_limit == 20


def test_an_untrained_one_gives_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, probabilities=CURVE, standing=Standing.UNTRAINED)
    assert bench.conclude(bench.film, bench.ecg).assessments == ()


@pytest.mark.parametrize("note", [AP_NOTE, EITHER_NOTE, AGE_UNKNOWN])
def test_what_limits_the_film_limits_the_estimate(bench: Bench, note: str) -> None:
    findings = bench.conclude(noted(bench.film, note, "something else"), bench.ecg)
    assert note in findings.limitations
    assert note not in findings.evidence[0].notes
    assert "something else" in findings.evidence[0].notes


# Which film, which ECG


def test_the_newest_pa_film_is_used_and_the_others_are_named(bench: Bench) -> None:
    older = at(bench.film, "20240115090000", "1.9.1")
    newer = at(bench.film, "20240115100000", "1.9.2")
    ap = noted(at(bench.film, "20240115110000", "1.9.3"), AP_NOTE)
    findings = bench.conclude(older, ap, newer, bench.ecg)
    assert used(findings)[0] == "1.9.2"
    assert excluded(findings) == {"1.9.1": "OTHER_FILM", "1.9.3": "OTHER_FILM"}


def test_without_a_pa_film_an_ap_film_will_do(bench: Bench) -> None:
    ap = noted(bench.film, AP_NOTE)
    assert used(bench.conclude(ap, bench.ecg))[0] == ap.instance.sop_instance_uid


def test_a_film_of_another_study_takes_no_part(bench: Bench) -> None:
    elsewhere = at(bench.film, "20240116090000", "1.9.1", study=StudyRef("1.2.3", ""))
    findings = bench.conclude(bench.film, elsewhere, bench.ecg)
    assert used(findings)[0] == bench.film.instance.sop_instance_uid
    assert excluded(findings) == {}


@pytest.mark.parametrize(
    ("ecgs", "nearest"),
    [
        ({"1.1": "20240113080000", "1.2": "20240116080000"}, "1.2"),
        ({"1.1": "20240114080000", "1.2": "20240117080000"}, "1.1"),
        ({"1.1": "20240114080000", "1.2": "20240116080000"}, "1.2"),  # equally near: the later
        ({"1.1": "20240116080000", "1.2": "20240116080000"}, "1.1"),  # then the lower UID
        ({"1.1": "20240122080000", "1.2": "20240101080000"}, "1.1"),  # seven days, to the second
        ({"1.1": "", "1.2": "20240118080000"}, "1.1"),  # by its study, two days later
    ],
)
def test_the_nearest_ecg_in_time_is_used(bench: Bench, ecgs: dict[str, str], nearest: str) -> None:
    film = at(bench.film, "20240115080000")
    both = [at(bench.ecg, when, uid) for uid, when in ecgs.items()]
    for order in (both, both[::-1]):
        findings = bench.conclude(film, *order)
        assert used(findings)[1] == nearest
        assert excluded(findings) == {}, "an ECG that another one stands for has no effect"


def test_in_one_study_times_need_not_be_known(bench: Bench) -> None:
    nowhere = StudyRef("1.2.1", "")
    film, ecg = at(bench.film, "", study=nowhere), at(bench.ecg, "", study=nowhere)
    findings = bench.pipeline.conclude(Case([film, ecg], nowhere), ())
    assert len(used(findings)) == 2


@pytest.mark.parametrize(
    ("acquired", "said"),
    [
        ("20240115083000", "within an hour of the film"),
        ("20240115200000", "12 h after the film"),
        ("20240113080000", "2.0 days before the film"),
    ],
)
def test_the_time_between_them_is_told(bench: Bench, acquired: str, said: str) -> None:
    study = StudyRef("1.2.2", acquired)
    ecg = at(bench.ecg, acquired, study=study)
    findings = bench.conclude(at(bench.film, "20240115080000"), ecg)
    assert said in findings.evidence[1].notes[0]
    assert not any("clocks" in limitation for limitation in findings.limitations)


def test_clocks_a_day_apart_are_told(bench: Bench) -> None:
    film, ecg = at(bench.film, "20240115080000"), at(bench.ecg, "20240116070000")
    findings = bench.conclude(film, ecg)
    [told] = [limitation for limitation in findings.limitations if "clocks" in limitation]
    assert told == words.clocks_disagree("ECG", 25 / 24)


# When nothing can be estimated


def test_a_film_alone_says_nothing_aloud(bench: Bench) -> None:
    findings = bench.conclude(bench.film)
    assert (findings.abstention, findings.quiet) == (words.NO_ECG, True)


def test_only_an_abstention_may_be_quiet_and_that_is_kept(bench: Bench) -> None:
    quiet = bench.conclude(bench.film)
    assert decode_findings(encode_findings(quiet)).quiet
    with pytest.raises(ValueError, match="only an abstention"):
        replace(bench.conclude(bench.film, bench.ecg), quiet=True)


def test_an_ecg_alone_neither(bench: Bench) -> None:
    findings = bench.conclude(bench.ecg)
    assert (findings.abstention, findings.quiet) == (words.NO_FILM, True)


def test_an_ecg_that_cannot_be_used_is_told_of(bench: Bench) -> None:
    broken = Exclusion(bench.ecg.instance, ECG_REASONS["heartbeats"], "1 beat")
    findings = bench.conclude(bench.film, exclusions=[broken])
    assert not findings.quiet
    assert "Heartbeats not recognised" in str(findings.abstention)
    assert findings.exclusions == (broken,)


def test_so_is_one_that_is_too_far_away(bench: Bench) -> None:
    film, ecg = at(bench.film, "20240115080000"), at(bench.ecg, "20240122080001")
    findings = bench.conclude(film, ecg)
    assert not findings.quiet
    assert excluded(findings) == {ecg.instance.sop_instance_uid: "ECG_NOT_NEAR"}
    assert "at most 7 days" in findings.exclusions[0].detail


def test_a_failure_is_told_where_an_ecg_was_there(bench: Bench) -> None:
    unused = [Exclusion(item.instance, VIEW_UNCERTAIN, "") for item in (bench.film, bench.ecg)]
    assert not bench.pipeline.abstain(unused, "technical failure.").quiet
    assert bench.pipeline.abstain(unused[:1], "technical failure.").quiet


# What is taken and what is not


@pytest.mark.parametrize("kind", FilmDecoyKind)
def test_each_film_decoy_is_left_out_by_name(
    bench: Bench, tmp_path: Path, kind: FilmDecoyKind
) -> None:
    decoy = FILM_DECOYS[kind]
    tags = FilmTags(1, decoy.view, decoy.part, decoy.storing, decoy.also)
    file = write(tmp_path / "decoy.dcm", films.STUDY, tags, films.greys())
    expected = FILM_REASONS.get(decoy.breaks, VIEW_UNCERTAIN)
    if kind is FilmDecoyKind.SCREENSHOT:  # which might be the page of an ECG
        expected = PAGE_REASONS["grid"]
    assert bench.why_not(file) == expected


@pytest.mark.parametrize("kind", [kind for kind in DecoyKind if DECOYS[kind].write])
def test_each_ecg_decoy_is_left_out_by_name(bench: Bench, tmp_path: Path, kind: DecoyKind) -> None:
    file = write_decoy(tmp_path / "ecg.dcm", ecg_phantom.STUDY, 1, ecg_phantom.drawn(), kind)
    assert bench.why_not(file) == ECG_REASONS[DECOYS[kind].breaks]


@pytest.mark.parametrize("kind", [DecoyKind.PICTURE, DecoyKind.PDF])
def test_the_printed_page_of_an_ecg_is_as_good_as_its_samples(
    bench: Bench, tmp_path: Path, kind: DecoyKind
) -> None:
    file = write_decoy(tmp_path / "ecg.dcm", ecg_phantom.STUDY, 1, ecg_phantom.drawn(), kind)
    [features] = bench.pipeline.encode([bench.look(file)])
    page = replace(bench.ecg, instance=bench.selected(file).instance, features=features)
    [of_page], [of_samples] = (
        bench.conclude(bench.film, ecg).measurements for ecg in (page, bench.ecg)
    )
    assert abs(of_page.value - of_samples.value) < 1, "mmHg"


def test_pictures_of_other_studies_are_not_told_of_unless_they_are_ecgs(bench: Bench) -> None:
    picture = replace(bench.ecg.instance, sop_class_uid=FilmClass.SECONDARY_CAPTURE, modality="OT")
    no_page = Exclusion(picture, PAGE_REASONS["grid"], "", ECG_STUDY)
    own = replace(no_page, study=FILM_STUDY)
    broken = replace(no_page, reason=PAGE_REASONS["traces"])
    findings = bench.conclude(bench.film, exclusions=[no_page, own])
    assert (findings.quiet, findings.exclusions) == (True, (own,))
    findings = bench.conclude(bench.film, exclusions=[no_page, broken])
    assert (findings.quiet, findings.exclusions) == (False, (broken,))


@pytest.mark.parametrize("kind", [kind for kind in FormKind if FORMS[kind].limb])
def test_an_ecg_of_six_leads_is_left_out(bench: Bench, tmp_path: Path, kind: FormKind) -> None:
    file = write_form(tmp_path / "ecg.dcm", ecg_phantom.STUDY, 1, ecg_phantom.drawn(), kind)
    assert bench.why_not(file) == ECG_REASONS["leads"]


def test_leads_one_after_the_other_are_taken(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "ecg.dcm"
    write_form(path, ecg_phantom.STUDY, 1, ecg_phantom.drawn(), FormKind.SEQUENTIAL)
    ecg = bench.look(path)
    assert isinstance(ecg, EcgLook)
    assert not (ecg.pictures == 255).all(axis=(1, 2)).any(), "all twelve are drawn"


@pytest.mark.parametrize(
    ("view", "reason"),
    [("lateral", LATERAL_VIEW), ("other", OTHER_VIEW), ("frontal", None)],
)
def test_a_film_that_states_no_view_is_judged_by_its_pixels(
    tmp_path: Path, view: str, reason: Code | None
) -> None:
    bench = Bench(tmp_path, everything_is(view))
    file = write_film(tmp_path / "captured.dcm", UNSTATED, view="")
    if reason is not None:
        assert bench.why_not(file) == reason
        return
    notes = bench.look(file).notes
    assert EITHER_NOTE in notes
    assert any("its pixels look frontal" in note for note in notes)


def test_the_population_of_the_bundle_is_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, population=Population(from_years=40))
    young = write_film(tmp_path / "young.dcm", PatientBirthDate="19900101")
    assert bench.why_not(young) == OUTSIDE_AGES


def real(name: str) -> Path:
    return shared("data", "cxr", name)


def test_real_films_have_their_verdicts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, everything_is("frontal"))
    pa = bench.look(real("philips_cr_chest_pa_rg1_j2ki.dcm"))
    assert pa.notes == (AGE_UNKNOWN,)
    captured = bench.look(real("nih_sc_dx_chest_implicit.dcm"))
    assert EITHER_NOTE in captured.notes
    assert bench.why_not(real("vet_dx_thorax_dog_downsized.dcm")) == NOT_HUMAN


# The bundle


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pipeline": "echo_haemodynamics"}, "for the pipeline"),
        ({"targets": (MPAP.model_copy(update={"unit": "kPa"}),)}, "in mm"),
        ({"probabilities": {"fever": CURVE["PH"]}}, "unknown conditions"),
        (
            {"preprocessing": FilmAndEcgPreprocessing(film="grid", film_px=100)},
            "cannot be fed",
        ),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    film_bundle(tmp_path / "bundle", **changes)
    with pytest.raises(BundleError, match=why):
        load(tmp_path / "bundle", "cpu")


def test_options_are_checked(bench: Bench) -> None:
    bundle = bench.folder / "bundle"
    with pytest.raises(InferenceError, match="50 or 60"):
        load_pipeline("cxr_ecg", bundle, "cpu", mains_hz=55)
    other = load_pipeline("cxr_ecg", bundle, "cpu", mains_hz=60)
    assert other.model.preparing != bench.pipeline.model.preparing


def test_features_of_another_bundle_are_refused(bench: Bench, screening: Bench) -> None:
    with pytest.raises(BundleError, match="another bundle"):
        bench.conclude(screening.film, bench.ecg)
