"""The composition root of completion: from the settings to the clock's rules and its archive."""

from collections.abc import Callable
from functools import partial

from dicom_node.app.archives import open_archive
from dicom_node.settings.model import Settings
from dicom_node.study.archive_count import ask_archive
from dicom_node.study.decision import Rules
from storage.database.transactions import Database

#: How long a due study waits for the archive's answer, in seconds; it was asked before.
_ARCHIVE_PATIENCE_S = 10.0


def completion_rules(settings: Settings) -> Rules:
    """How long the clock waits for what."""
    given = settings.completion
    return Rules(
        release_quiet_s=given.release_quiet_s,
        abort_quiet_s=given.abort_quiet_s,
        hard_limit_s=given.hard_limit_s,
        archive_patience_s=_ARCHIVE_PATIENCE_S if given.archive else 0.0,
    )


def archive_question(settings: Settings, database: Database) -> Callable[[], None] | None:
    """What asks the archive of [completion] how many instances studies have; None: nobody is."""
    for archive in settings.archive:
        if archive.name == settings.completion.archive:
            opened = partial(open_archive, settings, archive, database)
            return partial(ask_archive, database, opened)
    return None
