"""What whoever packs a bundle says of it."""

from dataclasses import dataclass

from inference.bundle.manifest import Population


@dataclass(frozen=True, slots=True)
class Statement:
    """What whoever packs a bundle says of it; the rest follows from the run."""

    name: str = ""
    version: str = "1"
    licence: str = "not licensed for use outside this institution"
    intended_use: str = ""
    limitations: tuple[str, ...] = ()
    population: Population | None = None
