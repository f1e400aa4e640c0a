"""`echonode weights`: encoders trained elsewhere, as a start for training here."""

from pathlib import Path

import click

from dicom_node.cli.output import say

_path = click.Path(path_type=Path)


@click.group()
def weights() -> None:
    """Import encoders that were trained elsewhere. Nothing is downloaded."""


@weights.command()
def kinds() -> None:
    """List the supported encoders, and those that cannot be used, with the reason."""
    from inference.training.weights import FILM_KINDS, KINDS, REFUSED

    known = [(name, kind.about, kind.architecture) for name, kind in KINDS.items()]
    known += [(name, kind.about, kind.architecture) for name, kind in FILM_KINDS.items()]
    for name, about, architecture in known:
        say(f"{name:24} {about}; recipe: architecture = {architecture!r}")
    for name, why in REFUSED.items():
        say(f"{name:24} cannot be used: {why}")


@weights.command("import")
@click.option("--as", "kind", required=True, help="Kind of encoder in FILE (see `weights kinds`).")
@click.option(
    "--licence",
    required=True,
    help="Licence under which you use the file. It is recorded in runs and bundles made from it.",
)
@click.option("--out", required=True, type=_path, help="Output file (.safetensors).")
@click.argument("file", type=_path)
def import_(kind: str, licence: str, out: Path, file: Path) -> None:
    """Convert FILE (.pth, .pt or .safetensors) to an encoder for `train fit --encoder`.

    Of encoders of echo frames the first layer is converted to one grey channel and includes the
    original normalisation. Encoders of films are read from .safetensors alone.
    """
    from inference.training.weights import import_weights

    made = import_weights(file, kind, out, licence=licence)
    say(
        f"{made.tensors} tensors of {made.source.about} in {made.path}; {made.left_out} of the "
        "file's tensors do not belong to the encoder and were left out",
        f"licence: {made.source.licence}",
        f"next: echonode train fit --encoder {made.path} with architecture = "
        f'"{made.source.architecture}" in the recipe',
    )
