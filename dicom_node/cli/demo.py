"""`echonode demo`: the whole way, on this machine, with synthetic studies."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--folder",
    default="demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for everything that the demonstration creates; replaced by each run.",
)
@click.option("--timeout", "timeout_s", default=300.0, show_default=True, help="Seconds to wait.")
@click.option(
    "--bundled-pacs", is_flag=True, help="Use the bundled PACS even if Orthanc is installed."
)
def demo(folder: Path, timeout_s: float, bundled_pacs: bool) -> None:
    """Show what the node does, with synthetic studies.

    Sends the echo, ECG and chest film of two synthetic patients, and a real clip, through a node to
    a PACS, and shows the reports.
    """
    from dicom_node.demo.cast import BUNDLES, make_studies
    from dicom_node.demo.pacs import find_pacs
    from dicom_node.demo.story import fresh, tell

    fresh(folder)
    click.echo(f"Making synthetic studies and a real clip in {folder / 'studies'} ...")
    studies = make_studies(folder / "studies")
    pacs = find_pacs(folder / "pacs", bundled=bundled_pacs)
    tell(folder, BUNDLES, studies, pacs, timeout_s)
