"""Structured logs: one JSON line per event, from an allow-list of fields, without identities.

What is not on the list is dropped, so a field with a name or a UID cannot reach the log by
mistake. Messages of libraries are dropped too, since they quote datasets and SQL parameters; what
remains is the library, the level and, of an exception, its type and where it was raised.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from dicom_node.errors import NodeError
from dicom_node.outages import OncePerMinute, reason_of
from storage.errors import DatabaseUnavailableError

#: Every field that may stand in a log line.
FIELDS = frozenset(
    {
        "address",
        "association_id",
        "attempt",
        "bundle",
        "called_ae_title",
        "calling_ae_title",
        "code",
        "count",
        "delay_s",
        "destination",
        "device",
        "duration_s",
        "error",
        "event",
        "job",
        "kind",
        "level",
        "library",
        "max_associations",
        "peer",
        "pid",
        "pipeline",
        "port",
        "reason",
        "revision",
        "role",
        "rss_bytes",
        "signal",
        "size_bytes",
        "state",
        "status",
        "step",
        "study",
        "timestamp",
        "where",
    }
)
#: Libraries whose messages describe themselves, never a dataset.
_OUTSPOKEN = ("alembic", "apscheduler")

Record = MutableMapping[str, Any]


def configure(level: str = "info") -> None:
    """Send this process's log to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_exception,
        _only_allowed,
    ]
    structlog.configure(
        processors=[*shared, OncePerMinute(), structlog.processors.JSONRenderer(sort_keys=True)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        # A line in one write: what libraries log goes to the same file.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, _silence_library, *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
    )
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    # What a lost connection is to its pool, and a late tick to the clock, our own lines say.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)


def _silence_library(_: Any, __: str, record: Record) -> Record:
    library = record.pop("logger", "unknown")
    record["library"] = library
    if not library.startswith(_OUTSPOKEN):
        record["event"] = "library message"
    return record


def _describe_exception(_: Any, __: str, record: Record) -> Record:
    """Replace an exception by its type, its place and, where the words are ours, its message."""
    given = record.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given
    error = error[1] if isinstance(error, tuple) else error
    if isinstance(error, BaseException):
        record["error"] = type(error).__name__
        record["where"] = [
            f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
        ]
        if isinstance(error, NodeError):
            record["reason"] = str(error)
        elif isinstance(error, DatabaseUnavailableError):
            record["reason"] = reason_of(error)
    return record


def _only_allowed(_: Any, __: str, record: Record) -> Record:
    kept = {key: value for key, value in record.items() if key in FIELDS or key.startswith("_")}
    return {**kept, "event": str(kept.get("event", ""))}
