"""The command `echonode`: exit status 0 done, 1 the answer is no or it failed, 2 wrong usage."""

import sys

import click

from dicom_node.cli.audit import audit
from dicom_node.cli.backfill import backfill
from dicom_node.cli.backups import backup, restore
from dicom_node.cli.bundles import bundle
from dicom_node.cli.clock import clock
from dicom_node.cli.cohort import cohort
from dicom_node.cli.configuration import config
from dicom_node.cli.conformance import conformance
from dicom_node.cli.database import db
from dicom_node.cli.demo import demo
from dicom_node.cli.destinations import destination
from dicom_node.cli.doctor import doctor
from dicom_node.cli.evaluating import evaluate
from dicom_node.cli.outbox import outbox
from dicom_node.cli.output import say
from dicom_node.cli.patients import patient
from dicom_node.cli.peers import peer
from dicom_node.cli.phantom import phantom
from dicom_node.cli.pipelines import pipeline
from dicom_node.cli.pull import pull
from dicom_node.cli.purging import purge, purged
from dicom_node.cli.service import deliver, listen, run, work
from dicom_node.cli.shadow import shadow
from dicom_node.cli.spool import spool
from dicom_node.cli.studies import study
from dicom_node.cli.study_orders import (
    complete,
    correct,
    hold,
    reinstate,
    release,
    rerun,
    settle,
    withdraw,
)
from dicom_node.cli.tls import tls
from dicom_node.cli.training import train
from dicom_node.cli.weights import weights
from dicom_node.errors import NodeError, SettingsError
from inference.errors import InferenceError
from storage.errors import SchemaMismatchError, StorageError

EXIT_FAILED = 1
EXIT_USAGE = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="echonode")
def cli() -> None:
    """A DICOM node that analyses studies and answers with Structured Reports.

    Commands that work on a node take --config FILE (or the variable ECHONODE_CONFIG; default
    node.toml), and most commands --json. Start with `echonode doctor`.
    """


for command in (
    run,
    listen,
    work,
    deliver,
    study,
    patient,
    audit,
    outbox,
    destination,
    peer,
    pipeline,
    backfill,
    shadow,
    pull,
    tls,
    bundle,
    config,
    conformance,
    db,
    spool,
    clock,
    backup,
    restore,
    doctor,
    demo,
    phantom,
    cohort,
    train,
    weights,
    evaluate,
):
    cli.add_command(command)

for order in (
    complete,
    hold,
    release,
    rerun,
    settle,
    correct,
    withdraw,
    reinstate,
    purge,
    purged,
):
    study.add_command(order)


def main() -> None:
    """Run the command line; errors of ours are one message on standard error."""
    try:
        cli.main(prog_name="echonode", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(EXIT_FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except (SettingsError, SchemaMismatchError) as error:
        say(*f"echonode: {error}".split("\n"), err=True)
        sys.exit(EXIT_USAGE)
    except (NodeError, StorageError, InferenceError) as error:
        say(*f"echonode: {error}".split("\n"), err=True)
        sys.exit(EXIT_FAILED)
