"""Pipelines are found by entry point; one that is broken costs only its own jobs."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dicom_node.app.pipelines import load_pipelines, open_pipeline
from dicom_node.cli import cli
from dicom_node.settings.model import Settings
from inference import registry
from inference.errors import InferenceError, PipelineUnusableError, UnknownPipelineError
from inference.pipeline import Pipeline, load_pipeline
from inference.pipelines.registration import ECHO_HAEMODYNAMICS
from inference.ultrasound.rules import ULTRASOUND_SOP_CLASS_UIDS
from tests import plug_ins
from tests.phantom_model import PHANTOM_BUNDLE

CHECKOUT = Path(__file__).resolve().parents[2]
CHEST = "1.2.840.10008.5.1.4.1.1.1.1"
US = "1.2.840.10008.5.1.4.1.1.3.1"
REGISTERED = f"""
from inference.registry import Business, Registration
CHEST = Registration(Business(frozenset({{"{CHEST}"}}), frozenset({{"{CHEST}"}})), "FACTORY")
"""
FACTORY = """
from inference.registry import Business
from inference.types import ModelCard, Standing
class Chest:
    name, version, business = "NAME", "1", Business(frozenset(), frozenset())
    model = ModelCard("chest", "1", "b", "1", "d" * 64, "1.2", Standing.RESEARCH, "")
    def select(self, header, profile=None): ...
    def look(self, instance, selected): ...
    def encode(self, looks): ...
    def conclude(self, case, exclusions): ...
    def abstain(self, exclusions, why): ...
def load(bundle, device, precision):
    return Chest()
def with_options(bundle, device, precision, threshold=0.5, words=""):
    if threshold > 1:
        raise ValueError("threshold is a share")
    return Chest()
def with_any(bundle, device, precision, **options):
    return Chest()
def fail(bundle, device, precision):
    raise OSError("no such file")
def foreign(bundle, device, precision):
    return object()
def leave(bundle, device, precision):
    raise SystemExit(3)
def hang(bundle, device, precision):
    import time
    time.sleep(60)
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder on the path that holds packages of strangers."""
    with plug_ins.installed(tmp_path):
        yield tmp_path


def install(site: Path, *, factory: str = "chest_model:load", name: str = "chest") -> None:
    plug_ins.write(
        site,
        "chest-reader",
        {"chest": "chest_words:CHEST"},
        chest_words=REGISTERED.replace("FACTORY", factory),
        chest_model=FACTORY.replace("NAME", name),
    )
    plug_ins.forget()


def test_the_pipeline_of_this_package_is_registered_like_any_other() -> None:
    """Where this fails, install the package again: entry points are read from its metadata."""
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["entry-points"]
    found = {entry.name: entry.value for entry in registry._registered()}
    assert declared[registry.GROUP].items() <= found.items()
    assert registry.find("echo_haemodynamics") is ECHO_HAEMODYNAMICS
    assert not list(registry.faults())


def test_who_reads_a_class_is_known_without_torch() -> None:
    code = (
        "import sys; from inference.registry import readers;"
        f"assert readers(['echo_haemodynamics'], '{US}');"
        f"assert not readers(['echo_haemodynamics'], '{CHEST}');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=CHECKOUT).returncode == 0
    assert ECHO_HAEMODYNAMICS.business.reads == ULTRASOUND_SOP_CLASS_UIDS


def test_how_long_a_study_is_waited_for_is_the_pipelines_matter() -> None:
    echo, ecg = "echo_haemodynamics", "ecg_ph"
    twelve_lead, picture = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.7"
    assert registry.quiet_s([echo, ecg], twelve_lead) == registry.find(ecg).business.quiet_s == 3
    assert registry.quiet_s([echo, ecg], US) is None, "as long as the settings say"
    assert registry.quiet_s([echo, ecg], picture) is None, "nobody reports on it"
    assert registry.quiet_s([ecg, "missing"], twelve_lead) is None, "who knows what that needs"


def test_a_strangers_pipeline_is_found_and_loaded(site: Path) -> None:
    install(site)
    assert registry.readers(["echo_haemodynamics", "chest"], CHEST) == ["chest"]
    assert registry.readers(["echo_haemodynamics", "chest"], US) == ["echo_haemodynamics"]
    assert load_pipeline("chest", site).name == "chest"
    with pytest.raises(UnknownPipelineError, match="known: chest, cxr_ecg, ecg_ph, echo_haem"):
        registry.find("chset")


def test_a_further_entry_of_a_pipeline_is_that_pipeline(site: Path) -> None:
    assert registry.find("echo_haemodynamics@new") is ECHO_HAEMODYNAMICS
    assert registry.readers(["echo_haemodynamics@new"], CHEST) == []


def test_one_that_is_not_installed_here_may_read_anything(site: Path) -> None:
    """Its worker may run on another machine, which then judges by itself."""
    assert registry.readers(["elsewhere"], CHEST) == ["elsewhere"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise RuntimeError('licence expired')", "RuntimeError: licence expired"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("CHEST = 'chest_model:load'", "registers a str that is no Registration"),
        ("", "cannot be imported (AttributeError"),
    ],
    ids=["raises", "ends the process", "foreign type", "nothing there"],
)
def test_a_broken_package_is_told_and_the_others_go_on(site: Path, source: str, told: str) -> None:
    plug_ins.write(site, "chest-reader", {"chest": "chest_words:CHEST"}, chest_words=source)
    plug_ins.forget()
    with pytest.raises(PipelineUnusableError) as raised:
        registry.find("chest")
    assert told in str(raised.value)
    assert "chest-reader" in str(raised.value)
    assert [name for name, _ in registry.faults()] == ["chest"]
    assert registry.readers(["echo_haemodynamics", "chest"], CHEST) == ["chest"]
    assert registry.find("echo_haemodynamics") is ECHO_HAEMODYNAMICS


def test_nobody_takes_a_name_of_ours(site: Path) -> None:
    plug_ins.write(site, "impostor", {"echo_haemodynamics": "words:CHEST"}, words=REGISTERED)
    plug_ins.forget()
    assert registry.find("echo_haemodynamics") is ECHO_HAEMODYNAMICS
    assert list(registry.faults()) == [
        ("echo_haemodynamics", "package impostor claims this name too; it is not used: remove it")
    ]


def test_of_two_strangers_with_one_name_neither_is_believed(site: Path) -> None:
    install(site)
    plug_ins.write(site, "other-reader", {"chest": "chest_words:CHEST"})
    plug_ins.forget()
    with pytest.raises(PipelineUnusableError, match="chest-reader and other-reader both register"):
        registry.find("chest")


@pytest.mark.parametrize(
    ("factory", "name", "told"),
    [
        ("chest_model:fail", "chest", "cannot be loaded (OSError: no such file)"),
        ("chest_model:leave", "chest", "cannot be loaded (SystemExit: 3)"),
        ("chest_model:foreign", "chest", "returned a object without name, version, business"),
        ("chest_model:load", "echo_haemodynamics", "its code calls itself 'echo_haemodynamics'"),
        ("chest_model:nothing", "chest", "cannot be loaded (AttributeError"),
        ("nowhere:load", "chest", "cannot be loaded (ModuleNotFoundError"),
    ],
)
def test_code_that_breaks_the_rules_of_a_plug_in_is_refused(
    site: Path, factory: str, name: str, told: str
) -> None:
    install(site, factory=factory, name=name)
    with pytest.raises(PipelineUnusableError) as raised:
        load_pipeline("chest", site)
    assert told in str(raised.value)


def options(site: Path, factory: str, **given: object) -> Pipeline:
    install(site, factory=f"chest_model:{factory}")
    table = {"name": "chest", "bundle": site, "options": given}
    return open_pipeline(Settings.model_validate({"pipeline": [table]}).pipeline[0], 60.0)


@pytest.mark.parametrize(
    ("factory", "given"),
    [
        ("load", {}),
        ("with_options", {"threshold": 0.7, "words": "few"}),
        ("with_any", {"whatever": [1, 2]}),
    ],
)
def test_a_pipeline_gets_the_options_of_its_table(
    site: Path, factory: str, given: dict[str, object]
) -> None:
    assert options(site, factory, **given).name == "chest"


@pytest.mark.parametrize(
    ("factory", "given", "told"),
    [
        ("load", {"threshold": 1}, "pipeline chest: it has no option threshold; known: none"),
        ("with_options", {"treshold": 1}, "no option treshold; known: threshold, words"),
        ("with_options", {"threshold": 2}, "cannot be loaded (ValueError: threshold is a share)"),
    ],
)
def test_options_that_a_pipeline_does_not_take_are_refused_by_name(
    site: Path, factory: str, given: dict[str, object], told: str
) -> None:
    with pytest.raises(PipelineUnusableError) as raised:
        options(site, factory, **given)
    assert told in str(raised.value)


@pytest.mark.parametrize("key", ["device", "selection", "profile"])
def test_a_key_of_the_table_is_no_option(site: Path, key: str) -> None:
    with pytest.raises(ValueError, match=f"options.{key}: this key belongs in"):
        options(site, "with_any", **{key: "x"})


def test_a_worker_goes_on_without_a_pipeline_that_cannot_be_used(site: Path) -> None:
    """It stands in the worker's list, so that its jobs are claimed and fail visibly."""
    install(site, factory="chest_model:fail")
    broken = {"name": "chest", "bundle": site}
    good = {"name": "echo_haemodynamics", "bundle": PHANTOM_BUNDLE, "device": "cpu"}
    settings = Settings.model_validate({"pipeline": [broken, good]})
    loaded = load_pipelines(settings)
    assert list(loaded) == ["chest", "echo_haemodynamics"]
    assert loaded["echo_haemodynamics"].model.bundle_name
    with pytest.raises(PipelineUnusableError, match="no such file"):
        _ = loaded["chest"].model
    with pytest.raises(InferenceError, match="no such file"):
        load_pipelines(Settings.model_validate({"pipeline": [broken]}))


def test_a_pipeline_that_hangs_while_it_loads_is_given_up_and_named(
    site: Path, tmp_path: Path
) -> None:
    install(site, factory="chest_model:hang")
    toml = f'[work]\nstep_limit_s = 0.5\n[[pipeline]]\nname = "chest"\nbundle = "{site}"\n'
    with pytest.raises(PipelineUnusableError, match=r"not loaded within 0\.5 s"):
        load_pipelines(Settings.model_validate(tomllib.loads(toml)))
    file = tmp_path / "node.toml"
    file.write_text(toml)
    lines = CliRunner().invoke(cli, ["doctor", "--config", str(file)]).output.splitlines()
    [bundle] = [line for line in lines if "bundle of chest" in line]
    assert bundle.startswith("BAD")
    assert "not loaded within 0.5 s" in bundle


def test_the_doctor_names_what_is_broken(site: Path, tmp_path: Path) -> None:
    plug_ins.write(site, "chest-reader", {"chest": "words:CHEST"}, words="raise OSError('gone')")
    plug_ins.write(site, "beat-reader", {"beat": "beat_words:BEAT"}, beat_words="BEAT = 1")
    plug_ins.forget()
    file = tmp_path / "node.toml"
    file.write_text('[[pipeline]]\nname = "chest"\nbundle = "bundle"\n')
    lines = CliRunner().invoke(cli, ["doctor", "--config", str(file)]).output.splitlines()
    [bundle] = [line for line in lines if "bundle of chest" in line]
    assert bundle.startswith("BAD")
    assert "OSError: gone" in bundle
    assert any(line.startswith("WARN") and "plug-in beat" in line for line in lines)


def test_a_pipeline_without_bundle_is_named_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('[[pipeline]]\nname = "echo_haemodynamics"\nbundle = "nowhere"\n')
    lines = CliRunner().invoke(cli, ["doctor", "--config", str(file)]).output.splitlines()
    [line] = [line for line in lines if "bundle of" in line]
    assert line.startswith("BAD")
    assert "is it a bundle?" in line
