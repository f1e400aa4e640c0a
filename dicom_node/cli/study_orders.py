"""`echonode study complete, hold, release, rerun, settle`: a user decides, not the clock."""

import click

from dicom_node.cli.corrections import carry_out
from dicom_node.cli.options import with_json, with_settings
from dicom_node.settings.model import Settings
from storage.studies import orders

_REASON = "Reason, recorded in the audit."


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def complete(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Complete a study with the instances received so far; KEY is its UID or id.

    Missing instances are no longer waited for; their alarm and a hold end.
    """
    carry_out(
        orders.complete_now,
        key,
        reason,
        settings,
        as_json=as_json,
        otherwise="was complete already; missing instances are no longer waited for",
    )


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def hold(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Keep a study from being completed until `study release`; KEY is its UID or id."""
    carry_out(orders.hold, key, reason, settings, as_json=as_json, otherwise="is held")


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def release(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """End a hold; KEY is the UID or id of the study."""
    carry_out(orders.release, key, reason, settings, as_json=as_json, otherwise="is released")


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def rerun(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Analyse a complete study again with the current bundles; KEY is its UID or id.

    A new report is sent only if it differs from the last one.
    """
    carry_out(
        orders.rerun,
        key,
        reason,
        settings,
        as_json=as_json,
        otherwise="is still being received; it will be analysed when it is complete",
    )


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def settle(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Settle the alarms of a study that need no further action; KEY is its UID or id.

    Refused instances no longer count as missing. For announced ones use `study complete`.
    """
    carry_out(orders.settle, key, reason, settings, as_json=as_json, otherwise="has no alarm")
