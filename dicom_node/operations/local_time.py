"""Times as operators read them."""

from datetime import datetime


def local_time(at: datetime) -> str:
    """A time in the time zone of this machine, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
