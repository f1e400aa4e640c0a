"""What can go wrong in storage.

StorageError
├── DatabaseUnavailableError   locked, gone or restarted: try again
├── StorageFullError           disk, quota or database full (C-STORE status 0xA700)
├── SchemaMismatchError        the database has another schema: run `echonode db upgrade`
├── ClaimLostError             a finish came too late: somebody else has the row now
├── SpoolUnavailableError      the disk cannot be read or written now: try again (0xA700)
│   └── SpoolAwayError         the whole spool is not at its place: mount its volume
├── SpoolDamagedError          a spool file is missing or its digest differs
├── BackupError                a backup is not whole, or the place to restore it is not empty
├── StudyBusyError             a study is still in work and cannot be purged
├── ArchiveBusyError           something is being fetched from that archive already
└── NotFoundError              no such row

No message carries a value from a row: names of tables and constraints only.
"""


class StorageError(Exception):
    """Base of every error that `storage` raises on purpose."""


class DatabaseUnavailableError(StorageError):
    """The database is locked, gone or restarting; nothing was written, and trying again helps."""


class StorageFullError(StorageError):
    """The disk, the quota or the database is full; nothing was kept."""


class SchemaMismatchError(StorageError):
    """The database's schema is not the one this program was written for."""


class ClaimLostError(StorageError):
    """The job or delivery is no longer this owner's: its lease ran out and it was given away."""


class SpoolUnavailableError(StorageError):
    """A disk cannot be read or written at this moment; nothing follows from that for any file."""


class SpoolAwayError(SpoolUnavailableError):
    """The spool is not where it should be, as a whole: the message says what to do."""


class SpoolDamagedError(StorageError):
    """A file is missing, or holds other bytes than it is named after, in a spool that is here."""


class BackupError(StorageError):
    """A backup cannot be made or restored; the message says what to do."""


class StudyBusyError(StorageError):
    """A study is received, worked on or sent at this moment."""


class ArchiveBusyError(StorageError):
    """Another process fetches from an archive at this moment; one at a time is polite."""


class NotFoundError(StorageError):
    """No row answers to what was asked for."""
