"""`echonode demo`: the whole way, on this machine, with synthetic studies."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--folder",
    default="demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for everything the demonstration makes; replaced at each run.",
)
@click.option("--timeout", "timeout_s", default=300.0, show_default=True, help="Seconds to wait.")
def demo(folder: Path, timeout_s: float) -> None:
    """Send two synthetic studies through a node to a PACS and show the reports."""
    from dicom_node.demo.cast import BUNDLE, make_studies
    from dicom_node.demo.story import fresh, tell

    fresh(folder)
    click.echo(f"Making two synthetic studies and a real clip in {folder / 'studies'} ...")
    studies = make_studies(folder / "studies")
    tell(folder, BUNDLE, studies, timeout_s)
