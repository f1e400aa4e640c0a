"""What of a run a bundle holds: the targets that validation shows to be estimated, and no other.

The output of a withheld target is cut out of its network, so that nothing in the bundle could give
its number; a network that has no other target is left out.
"""

import copy
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import nn

from inference.bundle.manifest import Description
from inference.models.multiview import MultiView
from inference.training.run import Member


def held_networks(
    networks: Mapping[str, MultiView], members: Sequence[Member], targets: Collection[str]
) -> dict[str, MultiView]:
    """The networks, by prefix, with the outputs of these targets alone; what stays is unchanged."""
    held = {}
    for member in members:
        rows = [row for row, name in enumerate(member.targets) if name in targets]
        if rows:
            held[member.prefix] = _with_outputs(networks[member.prefix], rows)
    return held


def held_description(description: Description, targets: Collection[str]) -> Description:
    """A description of what is left with these targets alone."""
    networks = tuple(
        network.model_copy(update={"targets": kept})
        for network in description.networks
        if (kept := tuple(name for name in network.targets if name in targets))
    )
    return description.model_copy(
        update={
            "networks": networks,
            "targets": tuple(each for each in description.targets if each.name in targets),
        }
    )


def _with_outputs(network: MultiView, rows: Sequence[int]) -> MultiView:
    if len(rows) == network.head.out_features:
        return network
    cut = copy.deepcopy(network)
    weight, bias = cut.head.weight.detach(), cut.head.bias.detach()
    with torch.device("meta"):
        cut.head = nn.Linear(cut.feature_size, len(rows))
    cut.head.load_state_dict({"weight": weight[rows], "bias": bias[rows]}, assign=True)
    return cut.eval()
