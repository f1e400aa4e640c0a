"""Whether this machine gets from a bundle what the machine got that packed it.

A network that was built wrongly from sound weights, or a processor or library that computes
otherwise, gives plausible numbers: only a known answer tells.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from inference.bundle.manifest import Description, SelfTest
from inference.errors import BundleError
from inference.models.device import reproducible
from inference.models.registry import find_architecture

#: Digits of an answer that are kept: fewer than differ between processors.
_DECIMALS = 3
#: Knuth's multiplicative hash: the same numbers on every machine, and no two neighbours alike.
_FACTOR, _MODULUS = 2_654_435_761, 2**32


def made_up(shape: tuple[int, ...]) -> Tensor:
    """An input of a shape, float32 in 0..1."""
    count = torch.Size(shape).numel()
    hashed = torch.arange(count, dtype=torch.int64) * _FACTOR % _MODULUS
    return (hashed.double() / _MODULUS).float().view(shape)


def self_test(description: Description, networks: Mapping[str, nn.Module]) -> SelfTest:
    """What networks, by prefix, answer: what a bundle of them holds.

    Raises:
        BundleError: an answer is not finite.
    """
    answers = _answers(description, networks)
    for prefix, found in answers.items():
        if not torch.tensor(found).isfinite().all():
            raise BundleError(f"network {prefix} gives numbers that are not finite; train it again")
    return SelfTest(expected=answers)


def require_passed(
    description: Description, test: SelfTest, networks: Mapping[str, nn.Module]
) -> None:
    """Compare what the networks answer with what they should.

    Raises:
        BundleError: an answer is farther off than the tolerance.
    """
    for prefix, found in _answers(description, networks).items():
        pairs = zip(test.expected[prefix], found, strict=True)
        for number, (wanted, got) in enumerate(pairs, start=1):
            # Not the other way round: what is no number is near nothing.
            if not abs(got - wanted) <= test.tolerance * max(1.0, abs(wanted)):
                raise BundleError(
                    f"self-test failed: output {number} of network {prefix} is {got:g}, expected "
                    f"{wanted:g} (tolerance {test.tolerance:g}). The bundle is not what it was, or "
                    "this machine computes differently: get the bundle again; if that does not "
                    'help, set device = "cpu" and report the fault'
                )


def _answers(
    description: Description, networks: Mapping[str, nn.Module]
) -> dict[str, tuple[float, ...]]:
    found = {}
    for spec in description.networks:
        network = networks[spec.prefix]
        architecture = find_architecture(spec.architecture)
        device = next(network.parameters()).device
        inputs = [made_up(shape).to(device) for shape in architecture.input_shapes]
        with reproducible():
            output = architecture.answer(network, inputs)
        found[spec.prefix] = tuple(round(float(number), _DECIMALS) for number in output)
    return found
