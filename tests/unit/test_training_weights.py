"""Encoders from elsewhere: the same features of a grey frame, or a plain refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import ConvNeXt, convnext_tiny, resnet50

from inference.errors import TrainingDataError
from inference.models.registry import MULTI_VIEW
from inference.training.checkpoint import load_weights
from inference.training.weights import import_weights, source_of
from inference.training.weights.kinds import IMAGENET_MEAN, IMAGENET_SD

LICENCE = "BSD-3-Clause"


def settled(network: nn.Module) -> nn.Module:
    """Batch statistics that are not those of an untrained network, so that mistakes show."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = torch.randn_like(module.running_mean) * 0.1  # type: ignore[arg-type]
                module.running_var = torch.rand_like(module.running_var) + 0.5  # type: ignore[arg-type]
    return network.eval()


def normalised(grey: Tensor) -> Tensor:
    mean, sd = (torch.tensor(each).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_SD))
    return (grey.expand(-1, 3, -1, -1) - mean) / sd


def brought(file: Path, kind: str, tmp_path: Path) -> nn.Module:
    made = import_weights(file, kind, tmp_path / "encoder.safetensors", licence=LICENCE)
    encoder = MULTI_VIEW[made.source.architecture].encoder().eval()
    load_weights(made.path, encoder)
    return encoder


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    torch.manual_seed(0)
    return settled(resnet50(weights=None))


@pytest.fixture(scope="module")
def convnext() -> ConvNeXt:
    torch.manual_seed(0)
    return convnext_tiny(weights=None).eval()


@torch.no_grad()
def test_resnet50_gives_the_same_features_of_a_grey_frame_but_for_the_padded_border(
    resnet: nn.Module, tmp_path: Path
) -> None:
    torch.save(resnet.state_dict(), tmp_path / "resnet50.pth")
    ours = brought(tmp_path / "resnet50.pth", "imagenet-resnet50", tmp_path)
    frames = torch.rand(2, 1, 96, 96)
    theirs = resnet50(weights=None)
    theirs.load_state_dict(resnet.state_dict())
    theirs.fc = nn.Identity()
    theirs.eval()
    stem = theirs.bn1(theirs.conv1(normalised(frames)))
    mine = ours.bn1(ours.conv1(frames))  # type: ignore[operator]
    assert torch.allclose(mine[..., 2:-2, 2:-2], stem[..., 2:-2, 2:-2], atol=2e-5)
    assert not torch.allclose(mine, stem, atol=1e-2), "zeros are black here, mean grey there"
    # Padded with what is black after normalisation, the whole network agrees.
    theirs.conv1.padding = (0, 0)
    padded = nn.functional.pad(frames, (3, 3, 3, 3))
    assert torch.allclose(ours(frames), theirs(normalised(padded)), rtol=1e-3, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("nested", [True, False], ids=["whole model", "frame encoder"])
def test_panecho_gives_the_same_features_of_a_grey_frame(
    convnext: ConvNeXt, tmp_path: Path, nested: bool
) -> None:
    convnext.classifier[2] = nn.Identity()
    state = {f"model.{name}": tensor for name, tensor in convnext.state_dict().items()}
    if nested:
        state = {f"encoder.encoder.{name}": tensor for name, tensor in state.items()}
        state |= {"encoder.time_encoder.pe": torch.zeros(1), "EF_head.1.bias": torch.zeros(1)}
    torch.save({"weights": state} if nested else state, tmp_path / "panecho.pt")
    ours = brought(tmp_path / "panecho.pt", "panecho", tmp_path)
    frames = torch.rand(2, 1, 64, 64)
    assert torch.allclose(ours(frames), convnext(normalised(frames)), rtol=1e-3, atol=1e-4)
    assert ours(frames).shape == (2, 768)


def test_safetensors_and_names_of_several_gpus_are_read_and_old_files_lack_counters(
    resnet: nn.Module, tmp_path: Path
) -> None:
    state = {
        f"module.{name}": tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in resnet.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(state, tmp_path / "resnet50.safetensors")
    brought(tmp_path / "resnet50.safetensors", "imagenet-resnet50", tmp_path)
    source = source_of(tmp_path / "encoder.safetensors")
    assert source is not None
    assert (source.kind, source.licence) == ("imagenet-resnet50", LICENCE)


def without(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if name != "layer1.0.conv1.weight"}


def reshaped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "layer1.0.conv1.weight": torch.zeros(64, 64, 3, 3)}


def infinite(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "bn1.weight": torch.full((64,), torch.inf)}


def grown(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "layer9.weight": torch.zeros(1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, "1 of 318 tensors are missing"),
        (grown, "1 are unknown"),
        (
            reshaped,
            r"layer1\.0\.conv1\.weight has the shape \[64, 64, 3, 3\], not \[64, 64, 1, 1\]",
        ),
        (infinite, "bn1.weight holds values that are not finite"),
    ],
)
def test_other_names_shapes_or_values_are_refused(
    resnet: nn.Module,
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]],
    message: str,
) -> None:
    torch.save(change(resnet.state_dict()), tmp_path / "x.pth")
    with pytest.raises(TrainingDataError, match=message):
        import_weights(tmp_path / "x.pth", "imagenet-resnet50", out(tmp_path), licence=LICENCE)
    assert not out(tmp_path).exists()


@pytest.mark.parametrize(
    ("kind", "licence", "message"),
    [
        ("echoprime", LICENCE, "a video encoder has no place"),
        ("vgg", LICENCE, "unknown kind 'vgg'; known: imagenet-resnet50"),
        ("panecho", "  ", "state under which licence"),
        ("panecho", LICENCE, "cannot read: No such file"),
    ],
)
def test_what_cannot_be_brought_is_said_in_a_plain_sentence(
    tmp_path: Path, kind: str, licence: str, message: str
) -> None:
    with pytest.raises(TrainingDataError, match=message):
        import_weights(tmp_path / "none.pt", kind, out(tmp_path), licence=licence)


class Executed:
    """What a hostile pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("EXECUTED",))


def test_nothing_in_a_file_is_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weights": Executed()}, tmp_path / "x.pt")
    with pytest.raises(TrainingDataError, match="more than tensors"):
        import_weights(tmp_path / "x.pt", "panecho", out(tmp_path), licence=LICENCE)
    assert "EXECUTED" not in capsys.readouterr().out


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.sampled_from(["pt", "safetensors"]))
def test_any_bytes_are_refused_with_a_clear_error(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    (tmp_path / f"x.{suffix}").write_bytes(content)
    with pytest.raises(TrainingDataError, match="weights"):
        import_weights(tmp_path / f"x.{suffix}", "panecho", out(tmp_path), licence=LICENCE)


def test_the_file_is_reproducible(resnet: nn.Module, tmp_path: Path) -> None:
    torch.save(resnet.state_dict(), tmp_path / "x.pth")
    for name in ("a", "b"):
        import_weights(
            tmp_path / "x.pth", "imagenet-resnet50", tmp_path / f"{name}.safetensors", licence="x"
        )
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert load_file(tmp_path / "a.safetensors")["conv1.weight"].shape == (64, 1, 7, 7)


def out(tmp_path: Path) -> Path:
    return tmp_path / "encoder.safetensors"
