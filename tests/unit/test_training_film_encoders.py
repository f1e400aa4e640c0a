"""Published encoders of photographs, brought for films: any usual naming, or a plain refusal."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import resnet18, resnet34, vgg16

from inference.errors import TrainingDataError
from inference.models.film_and_ecg import FILM_ENCODERS, FilmEncoder
from inference.models.vit import VisionTransformer
from inference.training.checkpoint import load_weights
from inference.training.weights import FILM_KINDS, Imported, import_weights, source_of

KIND, WIDTH = "vit_large_patch14_dinov2", 32


def tiny(side_px: int = 28) -> VisionTransformer:
    torch.manual_seed(1)
    return VisionTransformer(side_px, WIDTH, depth=2, heads=2).eval()


@pytest.fixture(autouse=True)
def of_two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILM_ENCODERS, "vit_l14", lambda: FilmEncoder(tiny(), WIDTH))  # type: ignore[arg-type]


def brought(state: dict[str, Tensor], tmp_path: Path, kind: str = KIND) -> Imported:
    file = tmp_path / "given.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, file)
    return import_weights(file, kind, tmp_path / "encoder.safetensors", licence="Apache-2.0")


def as_hugging_face(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.mask_token": torch.zeros(1, WIDTH),
        "embeddings.position_embeddings": state["pos_embed"],
    }
    for kind in ("weight", "bias"):
        renamed[f"embeddings.patch_embeddings.projection.{kind}"] = state[
            f"patch_embed.proj.{kind}"
        ]
        renamed[f"layernorm.{kind}"] = state[f"norm.{kind}"]
    for block in range(2):
        ours, theirs = f"blocks.{block}.", f"encoder.layer.{block}."
        for number in (1, 2):
            renamed[f"{theirs}layer_scale{number}.lambda1"] = state[f"{ours}ls{number}.gamma"]
        for kind in ("weight", "bias"):
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                renamed[f"{theirs}{name}.{kind}"] = state[f"{ours}{name}.{kind}"]
            renamed[f"{theirs}attention.output.dense.{kind}"] = state[f"{ours}attn.proj.{kind}"]
            parts = state[f"{ours}attn.qkv.{kind}"].chunk(3)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                renamed[f"{theirs}attention.attention.{name}.{kind}"] = part
    return renamed


@pytest.mark.parametrize("naming", [dict, as_hugging_face])
@torch.inference_mode()
def test_either_naming_gives_the_same_features(naming: type, tmp_path: Path) -> None:
    theirs = tiny()
    made = brought(naming(theirs.state_dict()), tmp_path)
    ours = VisionTransformer(28, WIDTH, depth=2, heads=2)
    load_weights(made.path, ours)
    films = torch.rand(2, 3, 28, 28)
    assert torch.equal(ours(films), theirs(films))


def test_the_file_says_where_it_is_from(tmp_path: Path) -> None:
    source = source_of(brought(tiny().state_dict(), tmp_path).path)
    assert source is not None
    assert source.architecture == "film_and_ecg_vit_l14"
    assert source.sentence == "Training began from DINOv2's ViT-L/14, licence: Apache-2.0"


def test_positions_of_another_size_are_resampled_and_it_is_said(tmp_path: Path) -> None:
    state = tiny(side_px=56).state_dict()
    ramp = torch.arange(16.0).view(1, 16, 1).expand(1, 16, WIDTH)
    state["pos_embed"] = torch.cat([torch.full((1, 1, WIDTH), 7.0), ramp], dim=1)
    made = brought(state, tmp_path)
    assert "positions resampled from 4 x 4 to 2 x 2, bicubic" in made.source.about
    kept = load_file(made.path)["pos_embed"]
    assert kept.shape == (1, 5, WIDTH)
    assert torch.equal(kept[:, 0], state["pos_embed"][:, 0])
    assert kept[:, 1:].mean() == pytest.approx(7.5, abs=1e-4)
    assert (kept[0, 1:, 0].diff() > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("norm.bias"), "norm.bias is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra has no place"),
        (lambda state: state.update(cls_token=torch.zeros(1, 1, 8)), "cls_token has the shape"),
        (lambda state: state.update(pos_embed=torch.zeros(1, 4, WIDTH)), "pos_embed has the shape"),
        (lambda state: state.update(cls_token=torch.zeros(1, 1, WIDTH, dtype=torch.int64)), "I64"),
        (lambda state: state["cls_token"].fill_(torch.nan), "not finite"),
    ],
)
def test_another_network_is_refused(change: object, message: str, tmp_path: Path) -> None:
    state = tiny().state_dict()
    change(state)  # type: ignore[operator]
    with pytest.raises(TrainingDataError, match=message):
        brought(state, tmp_path)
    assert not (tmp_path / "encoder.safetensors").exists()


def test_a_pickle_is_refused_with_the_way_to_convert_it(tmp_path: Path) -> None:
    torch.save(tiny().state_dict(), tmp_path / "given.pth")
    with pytest.raises(TrainingDataError, match=r"save_file\(torch.load"):
        import_weights(tmp_path / "given.pth", KIND, tmp_path / "out.safetensors", licence="x")


@torch.inference_mode()
def test_torchvision_s_networks_lose_their_heads(tmp_path: Path) -> None:
    made = brought(resnet18().state_dict(), tmp_path, "imagenet-resnet18-film")
    encoder = FILM_ENCODERS["resnet18"]()
    load_weights(made.path, encoder.encoder)
    assert made.left_out == 2
    assert encoder.eval()(torch.rand(1, 1, 64, 64)).shape == (1, 512)


@pytest.mark.parametrize(("name", "build"), [("resnet34", resnet34), ("vgg16", vgg16)])
def test_every_tensor_of_torchvision_s_other_networks_has_its_place(
    name: str, build: Callable[[], nn.Module]
) -> None:
    kind = FILM_KINDS[f"imagenet-{name}-film"]
    with torch.device("meta"):
        theirs = {key: tuple(tensor.shape) for key, tensor in build().state_dict().items()}
    ours = {kind.namings[0](key)[0]: shape for key, shape in kind.shapes().items()}
    dropped = {key for key in theirs if key.startswith(kind.dropped)}
    assert ours == {key: shape for key, shape in theirs.items() if key not in dropped}
