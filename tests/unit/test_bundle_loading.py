"""A bundle loads as it was written, or is refused with a message that says what to do."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.bundle.checking import check, describe
from inference.bundle.loading import MANIFEST_FILE, WEIGHTS_FILE, load_bundle, read_manifest
from inference.bundle.manifest import Network, digest_of
from inference.bundle.untrained import make_untrained
from inference.bundle.writing import write_bundle
from inference.errors import BundleError
from inference.types import Standing
from inference.ultrasound.profile import Profile
from tests.unit.bundles import MPAP, SMALL, description, ensemble, network, three_headed

CPU = torch.device("cpu")
Json = dict[str, Any]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    three_headed(tmp_path / "bundle")
    return tmp_path / "bundle"


def edit_manifest(bundle: Path, edit: Callable[[Json], Any]) -> None:
    """Change the manifest as somebody who also knows how to seal it."""
    path = bundle / MANIFEST_FILE
    document = json.loads(path.read_text())
    edit(document)
    document["digest"] = digest_of(document)
    path.write_text(json.dumps(document))


def replace_weights(bundle: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Put other weights in place, with a manifest that states their size and digest."""
    path = bundle / WEIGHTS_FILE
    save_file(tensors, path)
    seal_weights(bundle)


def seal_weights(bundle: Path) -> None:
    data = (bundle / WEIGHTS_FILE).read_bytes()
    weights = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    edit_manifest(bundle, lambda document: document.update(weights=weights))


def refused(bundle: Path, saying: str) -> None:
    with pytest.raises(BundleError, match=saying):
        load_bundle(bundle, CPU)
    assert len(check(bundle)) == 1


def test_what_was_written_is_what_is_loaded(tmp_path: Path) -> None:
    original = network(3)
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    written = write_bundle(tmp_path / "bundle", description((spec,)), {"all": original})
    loaded = load_bundle(tmp_path / "bundle", CPU)
    assert loaded.manifest == written
    assert not loaded.networks[0].training
    for name, tensor in original.state_dict().items():
        assert torch.equal(tensor, loaded.networks[0].state_dict()[name]), name
    assert check(tmp_path / "bundle") == []


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ensemble(tmp_path / name)
    for file in (MANIFEST_FILE, WEIGHTS_FILE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_every_change_makes_another_digest_and_device(tmp_path: Path) -> None:
    plain = three_headed(tmp_path / "plain")
    recalibrated = three_headed(tmp_path / "other", evaluation={"mPAP PCC": 0.88})
    assert plain.weights == recalibrated.weights
    assert plain.digest != recalibrated.digest
    assert plain.device_uid != recalibrated.device_uid
    assert plain.device_uid.startswith("2.25.")
    assert len(plain.device_uid) <= 64


def test_half_precision_weights_load_as_float32(tmp_path: Path) -> None:
    original = network(1)
    spec = Network(prefix="mpap", architecture=SMALL, targets=("mPAP",))
    write_bundle(tmp_path / "half", description((spec,)), {"mpap": network(1).half()})
    loaded = load_bundle(tmp_path / "half", CPU).networks[0]
    loop = torch.rand(1, 128)
    assert loaded.head.weight.dtype == torch.float32
    assert torch.allclose(original.fuse(loop).output, loaded.fuse(loop).output, atol=1e-2)


def test_a_loaded_model_does_not_follow_its_file(bundle: Path) -> None:
    loaded = load_bundle(bundle, CPU).networks[0]
    before = loaded.head.weight.clone()
    path = bundle / WEIGHTS_FILE
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size_bytes // 2)
        file.write(bytes(size_bytes - size_bytes // 2))
    assert torch.equal(before, loaded.head.weight)


def test_untrained_bundles_are_reproducible_and_say_so(tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    first = make_untrained(tmp_path / "a", architecture=SMALL)
    second = make_untrained(tmp_path / "b", architecture=SMALL)
    other = make_untrained(tmp_path / "c", architecture=SMALL, seed=1)
    assert first == second
    assert first.digest != other.digest
    assert first.standing is Standing.UNTRAINED
    assert torch.equal(state, torch.random.get_rng_state())
    assert dict(describe(first))["standing"] == "UNTRAINED"


def test_describe_tells_targets_and_intervals(bundle: Path) -> None:
    lines = dict(describe(read_manifest(bundle)))
    assert lines["target mPAP"] == (
        "mm[Hg], decision above 22.5, 90% interval +-9 up to 20, +-14 above"
    )
    assert lines["target PAWP"] == "mm[Hg], decision above 15, no interval"


def test_one_changed_byte_of_the_weights_is_refused(bundle: Path) -> None:
    path = bundle / WEIGHTS_FILE
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(bundle, r"damaged.*get the bundle again")


def test_truncated_weights_are_refused(bundle: Path) -> None:
    path = bundle / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-100])
    refused(bundle, "cut short")


def test_truncated_weights_are_refused_even_when_sealed(bundle: Path) -> None:
    path = bundle / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-100])
    seal_weights(bundle)
    refused(bundle, "not a safetensors file")


def test_a_pickle_is_never_unpickled(bundle: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    (bundle / WEIGHTS_FILE).write_bytes(pickle.dumps(Trap()))
    seal_weights(bundle)
    refused(bundle, "not a safetensors file")
    assert not (tmp_path / "sprung").exists()


def test_a_missing_tensor_is_refused(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS_FILE)
    del tensors["all.head.bias"]
    replace_weights(bundle, tensors)
    refused(bundle, r"lacks tensor all\.head\.bias")


def test_a_tensor_missing_in_file_and_manifest_is_refused(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS_FILE)
    del tensors["all.head.bias"]
    replace_weights(bundle, tensors)
    edit_manifest(bundle, lambda document: document["tensors"].pop("all.head.bias"))
    refused(bundle, r"the manifest lacks tensor all\.head\.bias")


def test_a_tensor_too_many_is_refused(bundle: Path) -> None:
    replace_weights(bundle, load_file(bundle / WEIGHTS_FILE) | {"all.extra": torch.zeros(1)})
    refused(bundle, r"tensor all\.extra that nobody knows")


@pytest.mark.parametrize(
    "wrong", [torch.zeros(4), torch.zeros(3, 1), torch.zeros(3, dtype=torch.float64)]
)
def test_a_tensor_of_another_shape_or_dtype_is_refused(bundle: Path, wrong: torch.Tensor) -> None:
    replace_weights(bundle, load_file(bundle / WEIGHTS_FILE) | {"all.head.bias": wrong})
    with pytest.raises(BundleError):
        load_bundle(bundle, CPU)


def test_a_shape_that_the_architecture_does_not_have_is_refused_unread(bundle: Path) -> None:
    def enlarge(document: Json) -> None:
        document["tensors"]["all.head.weight"]["shape"] = [10**9, 10**9]

    edit_manifest(bundle, enlarge)
    (bundle / WEIGHTS_FILE).unlink()
    refused(bundle, r"tensor all\.head\.weight: the architecture says")


def test_weights_that_are_not_numbers_are_refused(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS_FILE)
    tensors["all.head.bias"][0] = float("nan")
    replace_weights(bundle, tensors)
    refused(bundle, "not finite")


def test_a_newer_format_says_upgrade_the_node(bundle: Path) -> None:
    def newer(document: Json) -> None:
        document["format_version"] = 6
        document["something_new"] = {}

    edit_manifest(bundle, newer)
    refused(bundle, "upgrade the node")


def test_a_bundle_of_format_1_was_selected_by_the_paper(bundle: Path) -> None:
    def older(document: Json) -> None:
        document["format_version"] = 1
        del document["preprocessing"]["selection"]

    edit_manifest(bundle, older)
    manifest = read_manifest(bundle)
    assert manifest.preprocessing.selection is Profile.PAPER


def test_an_edited_manifest_is_refused(bundle: Path) -> None:
    path = bundle / MANIFEST_FILE
    path.write_text(path.read_text().replace("22.5", "20.0"))
    refused(bundle, "changed after it was packed")


@pytest.mark.parametrize(
    ("edit", "saying"),
    [
        (lambda d: d.update(colour="blue"), "colour: Extra inputs"),
        (
            lambda d: d["targets"][0].update(colour="blue"),
            r"targets\.0\.value\.colour: Extra inputs",
        ),
        (lambda d: d.pop("licence"), "licence: Field required"),
        (lambda d: d.update(version=3), "version: Input should be a valid string"),
        (lambda d: d.update(standing="CERTIFIED"), "standing: Input should be"),
        (lambda d: d["targets"][0].update(sd=0.0), r"targets\.0\.value\.sd"),
        (lambda d: d["targets"][0].update(mean=float("nan")), r"targets\.0\.value\.mean"),
        (lambda d: d["targets"].pop(), "targets and the list of targets differ"),
        (lambda d: d["networks"].append(d["networks"][0]), "same prefix"),
        (lambda d: d["targets"].append(d["targets"][0]), "same name"),
        (lambda d: d["networks"][0].update(prefix="../up"), r"networks\.0\.prefix"),
        (lambda d: d["networks"][0].update(architecture="resnet9000"), "unknown architecture"),
        (lambda d: d["preprocessing"].update(resize="nearest"), r"preprocessing\.loops\.resize"),
        (lambda d: d["probabilities"]["PH"].update(margins=[1, -1]), "margins do not increase"),
        (lambda d: d["targets"][0]["conformal"].update(cut=None), "come together"),
        (lambda d: d.update(format_version="1"), "no format_version"),
        (lambda d: d.update(created_at="2026-01-01T00:00:00"), "created_at"),
    ],
)
def test_a_manifest_with_a_mistake_names_it(
    bundle: Path, edit: Callable[[Json], Any], saying: str
) -> None:
    edit_manifest(bundle, edit)
    refused(bundle, saying)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "\x00", "[" * 100_000])
def test_something_else_than_a_manifest_is_refused(bundle: Path, text: str) -> None:
    (bundle / MANIFEST_FILE).write_text(text)
    refused(bundle, "not JSON|no format_version")


def test_missing_files_are_refused(bundle: Path) -> None:
    (bundle / WEIGHTS_FILE).unlink()
    refused(bundle, "cannot be read")
    (bundle / MANIFEST_FILE).unlink()
    refused(bundle, "is it a bundle")


def test_a_bundle_is_not_overwritten(bundle: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        three_headed(bundle)


@pytest.mark.parametrize(
    ("networks", "saying"),
    [
        ({"other": network(3)}, "names the networks"),
        ({"all": network(2)}, "the architecture says"),
        ({"all": network(3).double()}, "use float32"),
    ],
)
def test_networks_that_do_not_fit_the_description_are_not_written(
    tmp_path: Path, networks: Any, saying: str
) -> None:
    spec = Network(prefix="all", architecture=SMALL, targets=("mPAP", "PVR", "PAWP"))
    with pytest.raises(BundleError, match=saying):
        write_bundle(tmp_path / "bundle", description((spec,)), networks)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_whose_writing_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        three_headed(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_target_is_found_by_name(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.quantities["mPAP"] == MPAP
    assert list(manifest.quantities) == ["mPAP", "PVR", "PAWP"]
