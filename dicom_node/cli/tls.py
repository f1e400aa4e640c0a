"""`echonode tls`: make certificates for a trial, and show those in use."""

import re
from pathlib import Path
from typing import Any

import click

from dicom_node.cli.options import config_file, with_json
from dicom_node.cli.output import print_rows
from dicom_node.operations.certificates import certificate_files
from dicom_node.settings.file import read_settings

#: What can be a file name and a DNS name at once.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class _Name(click.ParamType[str]):
    name = "name"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        if not _NAME.fullmatch(value) or value in ("ca", "node"):
            self.fail(
                f"{value!r}: use letters, digits, dots and dashes; `ca` and `node` are taken",
                param,
                ctx,
            )
        return str(value)


@click.group()
def tls() -> None:
    """Create certificates for a test, and show those in use."""


@tls.command()
@click.option(
    "--dir", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write to."
)
@click.option(
    "--host", "hosts", multiple=True, help="Host name or address of this node. Repeatable."
)
@click.option("--peer", "peers", multiple=True, type=_Name(), help="Name of a peer. Repeatable.")
def init(folder: Path, hosts: tuple[str, ...], peers: tuple[str, ...]) -> None:
    """Create a certificate authority, a certificate for this node and one for each peer.

    Existing files are never replaced. Anyone with the authority's key, ca.key, can issue
    certificates: move it to another machine afterwards.
    """
    from dicom_node.tls.authority import issue, make_authority

    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = make_authority("echonode test authority")
    authority.write(folder, "ca")
    issue(authority, "node", hosts).write(folder, "node")
    for name in peers:
        issue(authority, name).write(folder, name)
    names = ", ".join(["ca", "node", *peers])
    click.echo(
        f"{folder}: wrote {names} (.pem, .key). In the settings file:\n\n"
        f"[receive]\ntls_port = 2762\n\n"
        f'[tls]\ncertificate = "{folder / "node.pem"}"\nkey = "{folder / "node.key"}"\n'
        f'ca = "{folder / "ca.pem"}"\n\n'
        'and in the [[peer]] cart-1, for example: tls = { name = "cart-1" }'
    )


@tls.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@config_file
@with_json
def show(files: tuple[Path, ...], config_path: Path, as_json: bool) -> None:
    """Show subject, names, expiry and fingerprint of FILES, or of every file in the settings."""
    from dicom_node.tls.certificates import describe

    wanted = files or certificate_files(read_settings(config_path))
    rows = [found for file in wanted for found in describe(file)]
    columns = {
        "file": "file",
        "subject": "subject",
        "names": "names",
        "expires": "expires_at",
        "sha-256": "fingerprint",
    }
    print_rows(rows, columns, as_json=as_json, empty="No certificates configured.")
