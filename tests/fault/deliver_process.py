"""A deliverer as a process of its own, to be killed.

Arguments: database URL, spool, port, AE title, lease in seconds, and the name of its machine.
"""

import signal
import sys
from pathlib import Path

from dicom_node.delivery.worker import Deliverer
from storage.database.owner import this_process
from storage.database.transactions import Database
from storage.files.spool import Spool
from tests.outbox import destination


def main(
    url: str, spool: str, port: str, ae_title: str, lease_s: str = "300", machine: str = ""
) -> None:
    """Deliver to one destination called `pacs` until a signal comes."""
    own = this_process()
    deliverer = Deliverer(
        [destination("pacs", int(port), ae_title)],
        Database(url),
        Spool(Path(spool)),
        owner=own.replace(own.partition(":")[0], machine, 1) if machine else own,
        lease_s=float(lease_s),
        poll_s=0.05,
    )
    # Blocked before the threads start, so that they inherit it and only the wait below sees it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    deliverer.start()
    signal.sigwait({signal.SIGTERM})
    deliverer.stop()
    assert "torch" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
