"""`echonode conformance`: the DICOM Conformance Statement of the node as it is configured."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click
from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

import dicom_node
from dicom_node import app
from dicom_node.cli.options import with_settings
from dicom_node.conformance.facts import Facts, Parameter, Partner, Way
from dicom_node.settings.archives import ArchiveSettings
from dicom_node.settings.destinations import DestinationSettings
from dicom_node.settings.model import Settings
from dicom_node.settings.peers import PeerSettings
from dicom_node.settings.section import table_in
from dicom_node.settings.work_lists import WorkListSettings

#: What is about the network; where files lie and how jobs are run is nobody else's business.
_TABLES = ("receive", "completion", "retention")
#: Says where a machine is.
_UNTOLD = ("host",)


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "html"]),
    default="md",
    show_default=True,
    help="Markdown or one HTML page.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; empty: print it.")
@with_settings
def conformance(form: Literal["md", "html"], out: Path | None, settings: Settings) -> None:
    """Write the DICOM Conformance Statement (PS3.2).

    It follows from the settings. It names partners by name and AE title, and contains no address
    and no secret.
    """
    from dicom_node.conformance.markdown import to_markdown
    from dicom_node.conformance.page import to_html
    from dicom_node.conformance.statement import statement
    from dicom_node.peer_doctor.synthetic import synthetic_study

    now = datetime.now(UTC)
    study = synthetic_study(app.node_identity(settings), now)
    document = statement(_facts(settings, now), study)
    written = to_html(document) if form == "html" else to_markdown(document)
    if out is None:
        click.echo(written, nl=False)
    else:
        out.write_text(written, "utf-8")


def _facts(settings: Settings, now: datetime) -> Facts:
    from dicom_node.scu.peer import RemoteNode

    node, receive = settings.node, settings.receive
    return Facts(
        made_at=now,
        version=dicom_node.__version__,
        manufacturer=node.manufacturer,
        model_name=node.model_name,
        station_name=node.station_name,
        ae_title=receive.ae_title,
        port=receive.port,
        tls_port=receive.tls_port,
        maximum_associations=receive.maximum_associations * receive.processes,
        maximum_pdu_bytes=receive.maximum_pdu_bytes,
        sent_maximum_pdu_bytes=RemoteNode("", "", 0, "", "").maximum_pdu_bytes,
        pipelines=tuple(item.name for item in settings.pipeline),
        partners=tuple(_partners(settings)),
        parameters=tuple(_parameters(settings)),
        audit_repositories=len(settings.audit_repository),
    )


def _partners(settings: Settings) -> Iterator[Partner]:
    for peer in settings.peer:
        yield Partner(
            table="peer",
            name=peer.name,
            ae_title=peer.ae_title,
            way="DIMSE",
            tls=peer.is_encrypted,
            does=peer.may,
        )
    for destination in settings.destination:
        yield _called("destination", destination, (*destination.kinds, destination.climb_to))
    for archive in settings.archive:
        yield _called("archive", archive, (archive.way,))
    for item in settings.work_list:
        yield Partner(
            table="work_list",
            name=item.name,
            ae_title=item.ae_title,
            way="DIMSE",
            tls=item.is_encrypted,
            does=(),
        )


def _called(
    table: Literal["destination", "archive"],
    item: DestinationSettings | ArchiveSettings,
    does: tuple[str, ...],
) -> Partner:
    return Partner(
        table=table,
        name=item.name,
        ae_title=item.ae_title or "",
        way=_way(item),
        tls=item.is_encrypted,
        does=does,
    )


def _way(item: DestinationSettings | ArchiveSettings) -> Way:
    if item.url is not None:
        return "DICOMweb"
    return "DIMSE" if item.ae_title is not None else "HL7"


def _parameters(settings: Settings) -> Iterator[Parameter]:
    """Every key of the tables that are about the network."""
    for name in _TABLES:
        section = getattr(settings, name)
        yield from _keys(name, type(section), section)
    yield from _keys("peer", PeerSettings)
    yield from _keys("destination", DestinationSettings)
    yield from _keys("archive", ArchiveSettings)
    yield from _keys("work_list", WorkListSettings)


def _keys(
    name: str, section: type[BaseModel], configured: BaseModel | None = None
) -> Iterator[Parameter]:
    """The keys of one table; a table that may stand several times has its own values each time."""
    tables = {key: table_in(field.annotation) for key, field in section.model_fields.items()}
    for key, field in section.model_fields.items():
        if key in _UNTOLD or tables[key]:
            continue
        yield Parameter(
            key=f"{name}.{key}",
            default=_shown(field.default),
            value=_shown(getattr(configured, key)) if configured else "each its own",
            description=(field.description or "").split("\n")[0],
        )
    for key, below in tables.items():
        if below:
            yield from _keys(f"{name}.{key}", below)


def _shown(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value)
