"""The networks: shapes, masks, order, and the same numbers whole or in halves."""

import pytest
import torch

from inference.models.attention import AttentionFusion
from inference.models.autoencoder import Autoencoder, Decoder
from inference.models.multiview import MultiView
from inference.models.registry import MULTI_VIEW, without_storage

SMALL = "resnet10_narrow"


def some_network(targets: int = 3) -> MultiView:
    """A small network in evaluation mode whose attention is not the initial mean."""
    torch.manual_seed(0)
    network = MULTI_VIEW[SMALL].build(targets).eval()
    torch.nn.init.normal_(network.frames.score.weight)
    torch.nn.init.normal_(network.loops.score.weight)
    return network


@pytest.mark.parametrize(
    ("architecture", "feature_size", "parameters"),
    [("resnet50", 2048, 23.5e6), ("convnext_tiny", 768, 27.8e6), (SMALL, 128, 0.3e6)],
)
def test_encoder_has_the_size_it_states(
    architecture: str, feature_size: int, parameters: float
) -> None:
    chosen = MULTI_VIEW[architecture]
    encoder = chosen.encoder().eval()
    assert encoder(torch.rand(2, 1, 64, 64)).shape == (2, feature_size)
    assert chosen.feature_size == feature_size
    counted = sum(parameter.numel() for parameter in encoder.parameters())
    assert counted == pytest.approx(parameters, rel=0.05)


def test_attention_starts_as_the_mean() -> None:
    components = torch.rand(5, 8)
    fused = AttentionFusion(8)(components)
    assert torch.allclose(fused.feature, components.mean(dim=0))
    assert torch.allclose(fused.weight, torch.full((5,), 0.2))
    assert torch.equal(fused.score, torch.zeros(5))


def test_attention_ignores_what_the_mask_hides() -> None:
    block = AttentionFusion(8)
    torch.nn.init.normal_(block.score.weight)
    components = torch.rand(2, 6, 8)
    mask = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])
    fused = block(components, mask)
    alone = block(components[0, :4])
    assert torch.allclose(fused.feature[0], alone.feature, atol=1e-6)
    assert torch.equal(fused.weight[0, 4:], torch.zeros(2))
    assert torch.allclose(fused.weight.sum(dim=-1), torch.ones(2))


def test_a_row_without_components_is_zero_and_leaves_gradients_finite() -> None:
    block = AttentionFusion(8)
    fused = block(torch.rand(2, 3, 8), torch.tensor([[False] * 3, [True] * 3]))
    assert torch.equal(fused.feature[0], torch.zeros(8))
    fused.feature.sum().backward()
    assert block.score.weight.grad is not None
    assert torch.isfinite(block.score.weight.grad).all()


@pytest.mark.parametrize("loops", [1, 120])
def test_any_number_of_loops_fuses(loops: int) -> None:
    result = some_network().fuse(torch.rand(loops, 128))
    assert result.output.shape == (3,)
    assert result.loop_weight.sum().item() == pytest.approx(1)


def test_the_order_of_loops_changes_nothing() -> None:
    network = some_network()
    loops = torch.rand(12, 128)
    order = torch.randperm(12)
    straight, shuffled = network.fuse(loops), network.fuse(loops[order])
    assert torch.allclose(straight.output, shuffled.output, atol=1e-5)
    assert torch.allclose(straight.loop_weight[order], shuffled.loop_weight, atol=1e-5)


@torch.inference_mode()
def test_whole_and_in_halves_it_gives_the_same_numbers() -> None:
    network = some_network()
    clips = torch.rand(2, 3, 4, 1, 64, 64)
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    mask[0, 1, 2:] = False  # a loop of two frames
    mask[1, 2] = False  # an exam of two loops
    whole = network(clips, mask)
    for exam, loop_count in ((0, 3), (1, 2)):
        loops = torch.stack(
            [
                network.encode_loop(clips[exam, loop][mask[exam, loop]]).feature
                for loop in range(loop_count)
            ]
        )
        halves = network.fuse(loops)
        assert torch.allclose(whole.output[exam], halves.output, atol=1e-5)
        assert torch.allclose(whole.loop_weight[exam, :loop_count], halves.loop_weight, atol=1e-5)


def test_padding_leaves_batch_statistics_alone() -> None:
    clips = torch.rand(1, 2, 3, 1, 64, 64)
    mask = torch.ones(1, 2, 3, dtype=torch.bool)
    padded_clips = torch.cat([clips, torch.full((1, 4, 3, 1, 64, 64), 9.0)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(1, 4, 3, dtype=torch.bool)], dim=1)
    plain = some_network().train()(clips, mask)
    padded = some_network().train()(padded_clips, padded_mask)
    assert torch.allclose(plain.output, padded.output, atol=1e-5)


def test_a_network_without_storage_has_the_same_tensors() -> None:
    chosen = MULTI_VIEW[SMALL]
    real, shapes = chosen.build(2).state_dict(), without_storage(chosen, 2).state_dict()
    assert {k: v.shape for k, v in real.items()} == {k: v.shape for k, v in shapes.items()}
    assert all(tensor.is_meta for tensor in shapes.values())


@pytest.mark.parametrize("frame_size_px", [64, 96])
def test_the_autoencoder_draws_frames_and_learns(frame_size_px: int) -> None:
    torch.manual_seed(0)
    chosen = MULTI_VIEW[SMALL]
    model = Autoencoder(chosen.encoder(), chosen.feature_size, frame_size_px)
    frames = torch.rand(4, 1, frame_size_px, frame_size_px) * 0.2
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.mse_loss(model(frames), frames)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert model(frames).shape == frames.shape
    assert losses[-1] < losses[0]


def test_a_decoder_for_an_odd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        Decoder(128, 100)
