"""`python -m tests.fault.fuzz pdu|reading|dataset --inputs N --seed S`: its tally as JSON."""

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import structlog

from tests.fault.fuzz import campaign, dataset, pdu, seeds
from tests.fault.fuzz.mutation import mutants

#: Synthetic inputs that once failed; the ordinary suite runs them.
CORPUS = Path(__file__).parent / "corpus"

TARGETS = {"pdu": pdu.run, "reading": pdu.read, "dataset": dataset.run}
SEEDS = {"pdu": seeds.connections, "reading": seeds.open_associations, "dataset": seeds.files}


def main() -> int:
    """Run a campaign; the exit status says whether anything was found."""
    options = _options()
    quiet()
    target = options.target
    made = inputs(target, Random(options.seed))
    tally = campaign.run(TARGETS[target], made, options.inputs, options.keep / target)
    print(json.dumps({"target": target, "seed": options.seed} | asdict(tally), indent=1))  # noqa: T201 - its output
    return 1 if tally.findings else 0


def inputs(target: str, random: Random) -> Iterator[bytes]:
    """Inputs for a target without end."""
    begin = [*SEEDS[target](), *regressions(target)]
    return mutants(begin, random, pdus=target != "dataset")


def regressions(target: str) -> list[bytes]:
    """The inputs that once failed."""
    return [file.read_bytes() for file in sorted((CORPUS / target).glob("*.bin"))]


def quiet() -> None:
    """Say nothing about damaged inputs."""
    warnings.simplefilter("ignore")
    logging.disable()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="for reproducers")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
