"""Options that many commands share."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from dicom_node.settings.file import read_settings
from dicom_node.settings.model import Settings

F = TypeVar("F", bound=Callable[..., Any])


class SettingsFile(click.ParamType[Settings]):
    """The path of a settings file, read."""

    name = "file"

    def convert(self, value: Any, param: Any, ctx: Any) -> Settings:  # noqa: ARG002 - click's
        """Read the file."""
        return value if isinstance(value, Settings) else read_settings(Path(value))


class Moment(click.ParamType[datetime]):
    """A point in time: 2026-11-21, 2026-11-21T10:00, or 90m, 24h, 7d ago."""

    name = "time"
    _UNITS = {"m": "minutes", "h": "hours", "d": "days"}  # noqa: RUF012 - never changed

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """Read either form; a time without a zone is local."""
        if isinstance(value, datetime):
            return value
        if value[:-1].isdigit() and value[-1] in self._UNITS:
            return datetime.now(UTC) - timedelta(**{self._UNITS[value[-1]]: int(value[:-1])})
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            self.fail(
                f"{value!r} is not a time: write 2026-11-21T10:00, 90m, 24h or 7d", param, ctx
            )


class Days(click.ParamType[tuple[date, date]]):
    """A day, or a range of days: 2026-11-01..2026-11-07."""

    name = "days"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[date, date]:
        """Read either form."""
        if isinstance(value, tuple):
            return value
        first, dots, last = value.partition("..")
        try:
            days = date.fromisoformat(first), date.fromisoformat(last if dots else first)
        except ValueError:
            self.fail(f"{value!r}: write 2026-11-01 or 2026-11-01..2026-11-07", param, ctx)
        if days[0] > days[1]:
            self.fail(f"{value!r} ends before it begins", param, ctx)
        return days


def config_file(command: F) -> F:
    """`--config FILE`, given as a path."""
    return click.option(
        "--config",
        "config_path",
        envvar="ECHONODE_CONFIG",
        default="node.toml",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Settings file.",
    )(command)


def with_settings(command: F) -> F:
    """`--config FILE`, given as the settings read from it."""
    return click.option(
        "--config",
        "settings",
        envvar="ECHONODE_CONFIG",
        default="node.toml",
        show_default=True,
        type=SettingsFile(),
        help="Settings file.",
    )(command)


def _not_blank(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("is empty")
    return value


def with_reason(words: str = "Reason, recorded in the audit.") -> Callable[[F], F]:
    """`--reason TEXT`, required."""
    return click.option("--reason", required=True, callback=_not_blank, help=words)


def with_json(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def with_limit(command: F) -> F:
    """`--limit N`."""
    return click.option(
        "--limit",
        type=click.IntRange(1),
        default=50,
        show_default=True,
        help="Maximum number of rows.",
    )(command)


def with_page(command: F) -> F:
    """`--limit N` and `--after CURSOR`."""
    after = click.option(
        "--after", metavar="CURSOR", help="Next page: the cursor that the page before it gave."
    )
    return with_limit(after(command))
