"""`echonode study complete, hold, release, rerun, settle`: a user decides instead of the clock."""

import click

from dicom_node.cli.corrections import carry_out
from dicom_node.cli.options import with_json, with_settings
from dicom_node.settings import Settings
from storage import study_orders

_REASON = "Why; for the audit."


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def complete(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Complete a study with what is here; KEY is its UID or id.

    What is missing is waited for no longer, and its alarm is over. A hold ends.
    """
    carry_out(
        study_orders.complete_now,
        key,
        reason,
        settings,
        as_json=as_json,
        otherwise="was complete; what is missing is done without",
    )


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def hold(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Keep a study from being completed until `study release`; KEY is its UID or id."""
    carry_out(study_orders.hold, key, reason, settings, as_json=as_json, otherwise="is held")


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def release(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """End a hold; KEY is the UID or id of the study."""
    carry_out(study_orders.release, key, reason, settings, as_json=as_json, otherwise="is released")


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def rerun(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """Conclude a complete study anew, with the bundles of now; KEY is its UID or id.

    Destinations get a report only where it says something else than the last one.
    """
    carry_out(
        study_orders.rerun,
        key,
        reason,
        settings,
        as_json=as_json,
        otherwise="is being received, and will be concluded with the bundles of then",
    )


@click.command()
@click.argument("key")
@click.option("--reason", required=True, help=_REASON)
@with_settings
@with_json
def settle(key: str, reason: str, settings: Settings, as_json: bool) -> None:
    """End the alarms of a study: somebody looked, and nothing is to be done; KEY is its UID or id.

    Instances that were refused are missed no longer. Announced ones: see `study complete`.
    """
    carry_out(study_orders.settle, key, reason, settings, as_json=as_json, otherwise="has no alarm")
