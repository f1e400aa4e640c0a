"""The ECG networks: their sizes as published, and what a lead that is not usable changes."""

import pytest
import torch
from torch import nn

from inference.ecg.leads import LEADS, LIMB
from inference.models.ecg_networks import BEAT_SAMPLES, ECG_NETWORKS
from inference.models.lead_experts import (
    GatedMixture,
    Gaussian,
    LeadEncoders,
    MixtureOfProducts,
    product,
)
from inference.models.lead_vae import EcgClassifier
from inference.models.registry import find_architecture, without_storage

BEATS = sorted(name for name, each in ECG_NETWORKS.items() if each.samples == BEAT_SAMPLES)
ALL = torch.ones(1, 12, dtype=torch.bool)
LIMB_LEADS = ALL.clone()
LIMB_LEADS[:, LIMB:] = False


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _experts(count: int = 1, latent: int = 5) -> Gaussian:
    torch.manual_seed(1)
    return Gaussian(torch.randn(count, 12, latent), torch.rand(count, 12, latent) + 0.2)


def _beats(count: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(2)
    return torch.randn(count, 12, BEAT_SAMPLES), ALL.expand(count, -1), torch.rand(count, 2)


def test_the_papers_encoder_and_gate_have_its_number_of_parameters() -> None:
    network = without_storage(find_architecture("lead_vae"), 4)
    assert isinstance(network, EcgClassifier)
    encoders = network.body.get_submodule("encoders")
    assert _count(encoders) == 12 * 20_488_352
    assert encoders.get_parameter("weight").shape == (12, 64 * 625, 2 * 256)
    assert _count(network.body.get_submodule("fusion")) == 13 * 256 * 13 + 13


@pytest.mark.parametrize("name", BEATS)
def test_every_network_gives_four_logits_or_two_without_the_six_lead_head(name: str) -> None:
    leads, usable, rhythm = _beats()
    for outputs in (4, 2):
        network = ECG_NETWORKS[name].build(outputs).eval()
        assert network(leads, usable, rhythm).shape == (2, outputs)
    with pytest.raises(ValueError, match="2 or 4 outputs"):
        ECG_NETWORKS[name].build(3)


@pytest.mark.parametrize("name", BEATS)
def test_the_six_lead_outputs_see_no_chest_lead(name: str) -> None:
    leads, usable, rhythm = _beats()
    network = ECG_NETWORKS[name].build(4).eval()
    changed = leads.clone()
    changed[:, LIMB:] += 1
    before, after = network(leads, usable, rhythm), network(changed, usable, rhythm)
    assert torch.equal(before[:, 2:], after[:, 2:])
    assert not torch.allclose(before[:, :2], after[:, :2])


@pytest.mark.parametrize("name", BEATS)
def test_a_lead_that_is_not_usable_has_no_influence(name: str) -> None:
    leads, usable, rhythm = _beats()
    network = ECG_NETWORKS[name].build(4).eval()
    masked = usable.clone()
    masked[:, LEADS.index("V3")] = False
    changed = leads.clone()
    changed[:, LEADS.index("V3")] += 1
    assert torch.equal(network(leads, masked, rhythm), network(changed, masked, rhythm))


def test_an_encoder_sees_its_own_lead_alone() -> None:
    torch.manual_seed(3)
    encoders = LeadEncoders(48, (2, 3, 4), 6)
    leads = torch.randn(1, 12, 48)
    changed = leads.clone()
    changed[:, 4] += 1
    differs = (encoders(leads) != encoders(changed)).any(dim=2)[0]
    assert differs.nonzero().flatten().tolist() == [4]


def test_a_product_of_experts_weighs_them_by_their_precision() -> None:
    experts = Gaussian(
        torch.tensor([[[2.0], [5.0]]]).repeat(1, 6, 1),
        torch.tensor([[[0.5], [9.0]]]).repeat(1, 6, 1),
    )
    first = torch.zeros(1, 12, dtype=torch.bool)
    first[:, 0] = True
    # The standard normal has precision 1 and mean 0, the first expert precision 2 and mean 2.
    found = product(experts, first)
    assert found.mean.item() == pytest.approx(4 / 3)
    assert found.variance.item() == pytest.approx(1 / 3)
    assert product(experts, ~ALL).mean.item() == 0
    assert product(experts, ~ALL).variance.item() == 1


def test_the_gate_weighs_usable_leads_and_the_shared_expert() -> None:
    torch.manual_seed(4)
    fusion, experts = GatedMixture(5), _experts()
    weights = fusion.weights(experts, LIMB_LEADS)
    assert weights.sum().item() == pytest.approx(1)
    assert weights[0, LIMB:12].eq(0).all()
    assert weights[0, :LIMB].gt(0).all()
    assert weights[0, 12] > 0


def test_the_gated_mixture_has_the_moments_of_the_mixture() -> None:
    torch.manual_seed(5)
    fusion, experts = GatedMixture(1), _experts(latent=1)
    joint, weights = fusion(experts, ALL), fusion.weights(experts, ALL)[0]
    shared = product(experts, ALL)
    means = torch.cat([experts.mean[0, :, 0], shared.mean[0]])
    sds = torch.cat([experts.variance[0, :, 0], shared.variance[0]]).sqrt()
    which = torch.multinomial(weights, 200_000, replacement=True)
    drawn = means[which] + sds[which] * torch.randn(200_000)
    assert joint.mean.item() == pytest.approx(drawn.mean().item(), abs=0.02)
    assert joint.variance.item() == pytest.approx(drawn.var().item(), rel=0.03)


def test_the_mixture_of_products_averages_over_all_sets_of_usable_leads() -> None:
    experts = _experts()
    two = torch.zeros(1, 12, dtype=torch.bool)
    two[:, [1, 7]] = True
    sets = [[1], [7], [1, 7]]
    expected = torch.zeros(1, 5)
    for chosen in sets:
        one = torch.zeros(1, 12, dtype=torch.bool)
        one[:, chosen] = True
        expected += product(experts, one).mean / len(sets)
    found = MixtureOfProducts().eval()(experts, two)
    assert torch.allclose(found.mean, expected, atol=1e-5)
    drawn = MixtureOfProducts().train()(experts, two)
    alone = [product(experts, torch.arange(12).eq(lead).unsqueeze(0)).mean for lead in (1, 7)]
    assert any(torch.allclose(drawn.mean, each) for each in [*alone, product(experts, two).mean])


def test_a_divergence_from_the_standard_normal_is_0_only_for_itself() -> None:
    assert Gaussian(torch.zeros(1, 3), torch.ones(1, 3)).divergence().item() == 0
    assert Gaussian(torch.ones(1, 3), torch.ones(1, 3)).divergence().item() == pytest.approx(1.5)
