"""The encoder as it runs in the node: as good as plain float32, and the same in any company."""

from pathlib import Path

import pytest
import torch
from torch import nn

import inference.bundle
from inference.bundle.loading import load_bundle
from inference.errors import InferenceError
from inference.models.frame_encoder import FrameEncoder, Precision, choose_precision, frame_encoders
from inference.models.registry import MULTI_VIEW

CPU = torch.device("cpu")
#: Relative L2 distance of the features to plain float32 that an engine may have.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-5, "bf16": 2e-2}
DEMONSTRATION = Path(next(iter(inference.bundle.__path__))) / "demonstration"


def untrained(architecture: str, seed: int = 0) -> nn.Module:
    """An encoder whose batch normalisation does something, as a trained one's does."""
    torch.manual_seed(seed)
    encoder = MULTI_VIEW[architecture].encoder().eval().requires_grad_(requires_grad=False)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return encoder


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("architecture", "size"), [("resnet10_narrow", 64), ("resnet50", 64), ("convnext_tiny", 64)]
)
@torch.inference_mode()
def test_features_are_those_of_plain_float32(
    architecture: str, size: int, precision: Precision
) -> None:
    encoder = untrained(architecture)
    frames = torch.rand(4, 1, size, size)
    found = FrameEncoder(encoder, CPU, precision)(frames)
    assert found.dtype is torch.float32
    assert distance(found, encoder(frames)) < TOLERANCE[precision]


@pytest.mark.skipif(not DEMONSTRATION.exists(), reason="no demonstration bundle here")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@torch.inference_mode()
def test_the_demonstration_bundle_estimates_the_same(precision: Precision) -> None:
    bundle = load_bundle(DEMONSTRATION, CPU)
    (network,) = bundle.networks
    torch.manual_seed(1)
    loops = torch.rand(6, 10, 1, 64, 64)
    encoder = FrameEncoder(network.encoder, CPU, precision)
    plain = network.fuse(torch.stack([network.encode_loop(loop).feature for loop in loops]))
    ours = network.fuse(torch.stack([network.frames(encoder(loop)).feature for loop in loops]))
    # z-scores: 0.03 of the cohort standard deviation is about half a mmHg of mPAP.
    assert (ours.output - plain.output).abs().max() < {"fp32": 1e-4, "bf16": 3e-2}[precision]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@torch.inference_mode()
def test_a_feature_is_the_same_whatever_the_batch(precision: Precision) -> None:
    encoder = FrameEncoder(untrained("resnet10_narrow"), CPU, precision)
    frames = torch.rand(37, 1, 64, 64)
    together = encoder(frames)
    assert torch.equal(together[:10], encoder(frames[:10]))
    assert torch.equal(together[13:14], encoder(frames[13:14]))
    assert torch.equal(together.flip(0), encoder(frames.flip(0)))


def test_the_network_it_is_made_from_stays_as_it_is() -> None:
    encoder = untrained("resnet10_narrow")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    FrameEncoder(encoder, CPU, "bf16")
    assert all(torch.equal(before[name], now) for name, now in encoder.state_dict().items())


@torch.inference_mode()
def test_networks_with_equal_encoders_share_one() -> None:
    one, same, other = (untrained("resnet10_narrow", seed) for seed in (0, 0, 1))
    first, second, third = frame_encoders([one, same, other], CPU, "fp32")
    assert first is second
    assert first is not third
    frames = torch.rand(2, 1, 64, 64)
    assert distance(third(frames), other(frames)) < TOLERANCE["fp32"]


def test_precision_by_name() -> None:
    assert choose_precision("fp32", CPU) == "fp32"
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("auto", CPU) in {"fp32", "bf16"}
    with pytest.raises(InferenceError, match="'fp8'"):
        choose_precision("fp8", CPU)


def test_a_pytorch_that_cannot_tell_is_run_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_precision("auto", CPU) == "fp32"
