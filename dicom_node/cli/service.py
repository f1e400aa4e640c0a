"""`echonode run`, and its three processes alone."""

import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog

from dicom_node import app, logs
from dicom_node.activity import recorded
from dicom_node.cli.options import config_file
from dicom_node.errors import PortTakenError
from dicom_node.ports import require_free
from dicom_node.service import Service, Together, serve
from dicom_node.settings.file import former_keys, read_settings
from dicom_node.settings.model import Settings
from dicom_node.supervisor import PORT_TAKEN, Supervisor
from storage.errors import DatabaseUnavailableError

#: A listener of a node that was just ended finishes what it receives for so long.
_PORT_PATIENCE_S = 15.0
_DATABASE_AGAIN_S = 1.0

log = structlog.get_logger()

supervised_option = click.option(
    "--supervised", is_flag=True, hidden=True, help="End with the parent process."
)


@click.command()
@config_file
def run(config_path: Path) -> None:
    """Run the whole node: receive, analyse, deliver.

    Each runs in a process of its own, which is started again if it ends.
    """
    settings = read_settings(config_path)
    logs.configure(settings.log.level)
    _log_former_keys(config_path)
    receive = settings.receive
    ports = [port for port in (receive.port, receive.tls_port) if port]
    require_free(receive.host, ports, _PORT_PATIENCE_S)
    app.open_database(settings).close()
    Supervisor(config_path, listeners=settings.receive.processes).run()


@click.command()
@config_file
@supervised_option
def listen(config_path: Path, supervised: bool) -> None:
    """Receive only: accept associations and store instances."""
    _serve("listen", config_path, _reception, supervised)


@click.command()
@config_file
@supervised_option
def work(config_path: Path, supervised: bool) -> None:
    """Analyse only: complete studies, make reports."""
    _serve("work", config_path, app.make_worker, supervised)


@click.command()
@config_file
@supervised_option
def deliver(config_path: Path, supervised: bool) -> None:
    """Deliver only: send reports and audit messages, and perform work items."""
    _serve("deliver", config_path, _delivery, supervised)


def _reception(settings: Settings) -> Service:
    return Together(app.make_clock_watch(settings), app.make_listener(settings))


def _delivery(settings: Settings) -> Service:
    from dicom_node.app import ladders, work_items

    return Together(
        app.make_clock_watch(settings),
        app.make_deliverer(settings),
        ladders.make_climber(settings),
        ladders.make_commitment_reports(settings),
        work_items.make_performer(settings),
        app.make_forwarder(settings),
    )


def _serve(
    role: str, config_path: Path, make: Callable[[Settings], Service], supervised: bool
) -> None:
    settings = read_settings(config_path)
    logs.configure(settings.log.level)
    if not supervised:  # else `run` has said it
        _log_former_keys(config_path)
    _wait_for_database(settings, supervised=supervised)
    service = make(settings)
    with recorded(app.open_database(settings), role):
        try:
            serve(role, service, supervised=supervised)
        except PortTakenError as error:
            if not supervised:
                raise
            click.echo(f"echonode: {error}", err=True)
            sys.exit(PORT_TAKEN)
    if getattr(service, "unusable", False):
        raise click.ClickException("the worker halted; the log says why")


def _log_former_keys(config_path: Path) -> None:
    for words in former_keys(config_path):
        log.warning("former settings key", reason=words)


def _wait_for_database(settings: Settings, *, supervised: bool) -> None:
    """Return when the database answers: a process that ends instead is started again and again."""
    while True:
        try:
            app.open_database(settings).close()
        except DatabaseUnavailableError as error:
            log.warning("waiting for the database", exc_info=error)
            if not supervised:
                time.sleep(_DATABASE_AGAIN_S)
            elif select.select([sys.stdin], [], [], _DATABASE_AGAIN_S)[0]:
                sys.exit(1)  # the parent has ended
        else:
            return
