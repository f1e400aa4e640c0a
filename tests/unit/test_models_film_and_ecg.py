"""The network of film and ECG: its sizes are the paper's, and its two ways give the same."""

import pytest
import torch
from torch import nn

from inference.models.film_and_ecg import FILM_AND_ECG, FilmAndEcg, stacked
from inference.models.registry import ARCHITECTURES
from inference.models.vit import VisionTransformer, vit_large


def parameters(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def small() -> FilmAndEcg:
    torch.manual_seed(0)
    network = FILM_AND_ECG["film_and_ecg_small"].build(1).eval()
    network.usual_ecg.normal_()
    return network


@pytest.mark.parametrize(
    ("side_px", "tokens", "count"), [(224, 257, 303_227_904), (518, 1370, 304_367_616)]
)
def test_the_transformer_is_dinov2s_large_one(side_px: int, tokens: int, count: int) -> None:
    with torch.device("meta"):
        network = vit_large(side_px)
    assert parameters(network) == count
    assert tuple(network.pos_embed.shape) == (1, tokens, 1024)
    assert len(network.blocks) == 24
    assert network.blocks[0].attn.heads == 16


def test_its_tensors_are_called_as_timm_calls_them() -> None:
    names = VisionTransformer(28, 32, depth=1, heads=2).state_dict().keys()
    in_block = [
        "norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
        "attn.proj.bias", "ls1.gamma", "norm2.weight", "norm2.bias", "mlp.fc1.weight",
        "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias", "ls2.gamma",
    ]  # fmt: skip
    around = ["cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"]
    assert set(names) == {
        *around, *(f"blocks.0.{name}" for name in in_block), "norm.weight", "norm.bias"
    }  # fmt: skip


def test_the_paper_s_ecg_encoder_and_head_have_its_sizes() -> None:
    with torch.device("meta"):
        network = FILM_AND_ECG["film_and_ecg_vit_l14"].build(1)
    assert parameters(network.ecg) == 423_616
    assert parameters(network.head) == 683_169


@pytest.mark.parametrize("name", [name for name in FILM_AND_ECG if "vit" not in name])
def test_each_network_answers_its_own_example(name: str) -> None:
    architecture = ARCHITECTURES[name]
    network = architecture.build(2).eval()
    with torch.inference_mode():
        answer = architecture.answer(
            network, [torch.rand(each) for each in architecture.input_shapes]
        )
    assert answer.shape == (2,)


@torch.inference_mode()
def test_the_estimate_is_the_mean_of_the_patches(small: FilmAndEcg) -> None:
    patches, pictures = torch.rand(2, 3, 1, 56, 56), torch.rand(2, 36, 48, 224)
    by_patch = small.fuse(small.film_features(patches), small.ecg_feature(pictures))
    assert by_patch.shape == (2, 3, 1)
    torch.testing.assert_close(small(patches, pictures), by_patch.mean(dim=1))


@torch.inference_mode()
def test_without_an_ecg_the_usual_one_stands_in(small: FilmAndEcg) -> None:
    film = small.film_features(torch.rand(2, 3, 1, 56, 56))
    torch.testing.assert_close(
        small.fuse(film, None), small.fuse(film, small.usual_ecg.expand(2, -1))
    )


@torch.inference_mode()
def test_training_may_leave_out_some_ecgs(small: FilmAndEcg) -> None:
    patches, pictures = torch.rand(2, 1, 1, 56, 56), torch.rand(2, 36, 48, 224)
    seen = small(patches, pictures, torch.tensor([False, True]))
    torch.testing.assert_close(seen[0], small(patches, pictures)[0])
    without = small.fuse(small.film_features(patches), None).mean(dim=1)
    torch.testing.assert_close(seen[1], without[1])


@torch.inference_mode()
def test_a_network_of_the_film_alone_does_not_see_the_ecg() -> None:
    network = FILM_AND_ECG["film_and_ecg_small"].of_parts(1, film=True, ecg=False).eval()
    patches = torch.rand(1, 1, 1, 56, 56)
    first, second = (network(patches, torch.rand(1, 36, 48, 224)) for _ in range(2))
    assert torch.equal(first, second)


def test_a_network_of_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="one of them"):
        FILM_AND_ECG["film_and_ecg_small"].of_parts(1, film=False, ecg=False)


def test_the_colours_of_a_lead_follow_each_other() -> None:
    drawn = (torch.arange(12, dtype=torch.uint8) * 20).view(1, 12, 1, 1).expand(1, 12, 48, 224)
    seen = stacked(drawn.numpy())
    assert seen.shape == (1, 36, 48, 224)
    assert torch.equal(seen[0, ::3, 0, 0], torch.arange(12) * 20 / 255)
    assert torch.equal(seen[:, 0::3], seen[:, 2::3])
