"""Our listener as a process of its own, with an embedded database: the subject of the benchmark."""

import signal
import sys
from ipaddress import ip_network
from pathlib import Path

from dicom_node import logs
from dicom_node.scp import Listener, ListenerConfig, Peer, PeerTable
from storage.database.transactions import Database
from storage.files.spool import Spool


def main() -> None:
    """Arguments: folder (its database is there), port, whether others share it; ends on SIGTERM."""
    folder, port, shared = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "shared"
    logs.configure("info")
    everybody = Peer(
        "sender", "STORESCU", (ip_network("127.0.0.0/8"),), frozenset({"echo", "store"}), 60.0
    )
    config = ListenerConfig(
        ae_title="ECHONODE",
        host="127.0.0.1",
        port=port,
        pipelines=("echo_haemodynamics",),
        shares_port=shared,
    )
    database = Database(f"sqlite:///{folder / 'node.db'}")
    listener = Listener(config, PeerTable([everybody]), database, Spool(folder / "spool"))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    listener.start()
    (folder / f"up-{sys.argv[4]}").touch()
    signal.sigwait({signal.SIGTERM})
    listener.stop()


if __name__ == "__main__":
    main()
