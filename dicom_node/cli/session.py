"""What most commands work with: the settings, the open database, and who typed the command."""

import functools
import getpass
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import click

from dicom_node import app
from dicom_node.cli.options import with_settings
from dicom_node.errors import OrderError
from dicom_node.operations.orders import Asked
from dicom_node.settings.model import Settings
from storage.database.transactions import Database
from storage.files.spool import Spool


@dataclass(frozen=True, slots=True)
class Session:
    """The settings, their database, and the user."""

    settings: Settings
    database: Database
    who: str

    def spool(self) -> Spool:
        """The spool of the settings."""
        return app.open_spool(self.settings, self.database)

    def asked(self, reason: str) -> Asked:
        """An order that the user gives for a reason."""
        return Asked(self.who, reason, [item.name for item in self.settings.pipeline])


@contextmanager
def session_of(settings: Settings) -> Iterator[Session]:
    """A session; what is asked for in it and cannot be done as given is wrong usage."""
    with closing(app.open_database(settings)) as database:
        try:
            yield Session(settings, database, getpass.getuser())
        except OrderError as error:
            raise click.UsageError(str(error)) from error


def with_session(command: Callable[..., None]) -> Callable[..., None]:
    """`--config FILE`, given as a session that ends with the command."""

    @with_settings
    @functools.wraps(command)
    def within(*args: Any, settings: Settings, **options: Any) -> None:
        with session_of(settings) as session:
            command(*args, session=session, **options)

    return within
