"""Named steps of the node at which a test lets a process die; the product knows nothing of them.

    python -m tests.fault.failpoints --at receive.renamed:3 -- listen --config node.toml

runs `echonode listen`, which kills itself when it passes the step for the third time. A step is a
function of the product that is wrapped in the dying process only. A name that no longer resolves is
an error; test_failpoints.py resolves them all.
"""

import functools
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module
from itertools import count
from typing import Any, Literal, NamedTuple

from dicom_node import cli
from tests.fault import mutations


class Step(NamedTuple):
    """Before or after a function: `module:attribute` as its caller looks it up.

    `passes` is how often a life of the process passes it, at most, for a test to choose from.
    """

    when: Literal["before", "after"]
    target: str
    passes: int = 3


LISTEN = {
    "receive.opened": Step("after", "dicom_node.scp.associations:open_association", 2),
    "receive.begun": Step("before", "storage.files.spool:IncomingFile.write"),
    "receive.written": Step("after", "storage.files.spool:IncomingFile.write", 5),
    "receive.before_sync": Step("before", "storage.files.spool:IncomingFile.sync_beside"),
    "receive.named": Step("after", "storage.files.spool:IncomingFile.keep_beside"),
    "receive.synced": Step("before", "storage.files.spool:Spool.settle"),
    "receive.renamed": Step("after", "pathlib:Path.replace"),
    "receive.folder_synced": Step("after", "storage.files.spool:Spool.settle"),
    "receive.before_commit": Step("after", "dicom_node.intake.recording:record_instance"),
    "receive.committed": Step("after", "dicom_node.intake.recording:Recorder.record"),
    "receive.before_answer": Step("after", "dicom_node.scp.receiving:Receiver.on_store"),
    "receive.answered": Step(
        "after", "dicom_node.scp.upper_layer.connection:ReceivingSocket.send", 4
    ),
    "receive.closing": Step("after", "dicom_node.scp.associations:close_association", 2),
}

WORK = {
    "rescue.rescued": Step("after", "storage.work.jobs:rescue", 1),
    "prepare.claimed": Step("after", "dicom_node.work.holding:Holding.claim", 5),
    "prepare.looked": Step("after", "dicom_node.work.job_runner:judge"),
    "prepare.encoding": Step("before", "dicom_node.work.job_runner:JobRunner._encode"),
    "prepare.encoded": Step("after", "dicom_node.work.job_runner:JobRunner._encode"),
    "prepare.before_commit": Step("after", "storage.work.results:record_preparation"),
    "prepare.committed": Step("after", "dicom_node.work.job_runner:JobRunner._finish_prepare"),
    "complete.before_commit": Step("after", "dicom_node.study.completing:complete_study", 2),
    "complete.committed": Step("after", "dicom_node.study.clock:complete_due_studies", 3),
    "conclude.loaded": Step("after", "storage.reading.cases:load_case", 2),
    "conclude.fused": Step("after", "dicom_node.work.case_report:conclude", 2),
    "report.built": Step("after", "dicom_node.work.report_files:build_what_passes", 2),
    "report.putting": Step("before", "storage.files.spool:Spool.put", 5),
    "report.put": Step("after", "storage.files.spool:Spool.put", 5),
    "report.recorded": Step("after", "storage.work.results:record_report", 2),
    "report.queued": Step("after", "storage.delivery.outbox:enqueue", 3),
    "report.before_commit": Step("after", "storage.work.jobs:finish", 4),
    "report.committed": Step("after", "dicom_node.work.conclude:Conclusions.conclude", 2),
}

DELIVER = {
    "deliver.rescued": Step("after", "storage.delivery.outbox:rescue", 1),
    "deliver.claiming": Step("after", "storage.delivery.outbox:claim", 1),
    "deliver.claimed": Step("after", "dicom_node.delivery.claims:Claims.take", 1),
    "deliver.opened": Step("after", "dicom_node.scu.storing:StoreAssociation.__enter__", 1),
    "deliver.sending": Step("before", "dicom_node.scu.storing:StoreAssociation.send", 3),
    "deliver.sent": Step("after", "dicom_node.scu.storing:StoreAssociation.send", 3),
    "deliver.before_commit": Step("after", "storage.delivery.outbox:mark_sent", 3),
    "deliver.committed": Step("after", "dicom_node.delivery.claims:Claims.conclude", 3),
}

MIGRATE = {
    "migrate.begun": Step("before", "alembic.command:upgrade", 1),
    "migrate.table": Step("after", "alembic.op:create_table", 8),
    "migrate.before_commit": Step("after", "alembic.command:upgrade", 1),
    "migrate.committed": Step("after", "storage.migrations.upgrading:upgrade", 1),
}

STEPS = {**LISTEN, **WORK, **DELIVER, **MIGRATE}


def resolve(target: str) -> tuple[Any, str, Callable[..., Any]]:
    """The owner of a function, its name there, and the function.

    Raises:
        AttributeError: the product no longer has it.
    """
    module, _, path = target.partition(":")
    owner: Any = import_module(module)
    *folders, name = path.split(".")
    for folder in folders:
        owner = getattr(owner, folder)
    return owner, name, getattr(owner, name)


def arm(name: str, nth: int = 1, number: signal.Signals = signal.SIGKILL) -> None:
    """Send this process a signal when it passes a step for the nth time.

    Raises:
        KeyError: no step has this name.
        AttributeError: the product no longer has the step's function.
    """
    step = STEPS[name]
    owner, attribute, function = resolve(step.target)
    passes = count(1)

    def strike() -> None:
        if next(passes) == nth:
            os.kill(os.getpid(), number)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if step.when == "before":
            strike()
        result = function(*arguments, **named)
        if step.when == "after":
            strike()
        return result

    setattr(owner, attribute, wrapped)


def run(
    arguments: list[str],
    at: str | None = None,
    broken: str | None = None,
    number: signal.Signals = signal.SIGKILL,
) -> None:
    """Be `echonode` with these arguments; die `at` a step, with a promise `broken` on purpose."""
    if broken:
        mutations.MUTATIONS[broken]()
    if at:
        name, _, nth = at.partition(":")
        arm(name, int(nth or 1), number)
    sys.argv = ["echonode", *arguments]
    cli.main()


def _main() -> None:
    command = ArgumentParser(prog="python -m tests.fault.failpoints")
    command.add_argument("--at", metavar="STEP[:NTH]", help="where to die")
    command.add_argument("--stop", action="store_true", help="be stopped there, not killed")
    command.add_argument("--break", dest="broken", choices=mutations.MUTATIONS, help="a promise")
    command.add_argument("arguments", nargs="*", help="after --: what follows `echonode`")
    chosen = command.parse_args()
    number = signal.SIGSTOP if chosen.stop else signal.SIGKILL
    run(chosen.arguments, chosen.at, chosen.broken, number)


if __name__ == "__main__":
    _main()
