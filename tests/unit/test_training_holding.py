"""What a withheld target leaves behind in a bundle: nothing that could give its number."""

import pytest
import torch

from inference.bundle.manifest import Network
from inference.training.holding import held_description, held_networks
from inference.training.run import Member
from tests.unit.bundles import SMALL, description, network

ALL = ("mPAP", "PVR", "PAWP")


@pytest.mark.parametrize(
    ("kept", "rows"), [(("mPAP", "PVR"), [0, 1]), (("PVR", "PAWP"), [1, 2]), (("PAWP",), [2])]
)
def test_the_outputs_that_stay_are_the_trained_ones(kept: tuple[str, ...], rows: list[int]) -> None:
    trained = network(3)
    held = held_networks({"all": trained}, [Member(prefix="all", targets=ALL, seed=0)], kept)["all"]
    loops = torch.randn(5, trained.feature_size)
    with torch.inference_mode():
        whole, cut = trained.fuse(loops), held.fuse(loops)
    assert torch.allclose(cut.output, whole.output[rows], atol=1e-6)
    assert torch.equal(held.head.weight, trained.head.weight[rows])
    assert torch.equal(cut.loop_weight, whole.loop_weight)
    for name, tensor in trained.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(held.state_dict()[name], tensor)
    assert trained.head.out_features == 3


def test_a_network_of_withheld_targets_alone_is_left_out() -> None:
    members = [
        Member(prefix=name.lower(), targets=(name,), seed=seed) for seed, name in enumerate(ALL)
    ]
    networks = {member.prefix: network(1, member.seed) for member in members}
    held = held_networks(networks, members, ("mPAP", "PVR"))
    assert list(held) == ["mpap", "pvr"]
    assert held["mpap"] is networks["mpap"]
    specs = tuple(
        Network(prefix=each.prefix, architecture=SMALL, targets=each.targets) for each in members
    )
    described = held_description(description(specs), ("mPAP", "PVR"))
    assert [spec.prefix for spec in described.networks] == ["mpap", "pvr"]
    assert [target.name for target in described.targets] == ["mPAP", "PVR"]


def test_the_description_names_the_outputs_that_stay() -> None:
    spec = Network(prefix="all", architecture=SMALL, targets=ALL)
    described = held_description(description((spec,)), ("PVR", "PAWP"))
    assert described.networks[0].targets == ("PVR", "PAWP")
