"""The demonstration's node: `echonode run` as an operator would start it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from dicom_node.demo.pacs import Pacs
from dicom_node.demo.ports import free_port, wait_for_port

_SETTINGS = """\
# Written by `echonode demo`: one cart, one PACS, everything on this machine.
[node]
station_name = "DEMO"

[storage]
low_water_bytes = 0

[receive]
host = "127.0.0.1"
port = {port}

[completion]
quiet_s = 10
release_quiet_s = 1

[[peer]]
name = "cart"
ae_title = "CART"
networks = ["127.0.0.1/32"]

{pipelines}
[[destination]]
name = "pacs"
host = "127.0.0.1"
port = {pacs_port}
ae_title = "{pacs_ae_title}"
"""


class DemoNode:
    """A node with its settings and state in one folder."""

    ae_title = "ECHONODE"

    def __init__(self, folder: Path, bundles: Mapping[str, Path], pacs: Pacs) -> None:
        self.port = free_port()
        self.settings_file = folder / "node.toml"
        self.log = folder / "node.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(
            _SETTINGS.format(
                port=self.port,
                pipelines="".join(
                    f"[[pipeline]]\nname = \"{name}\"\nbundle = '{bundle.resolve()}'\n"
                    for name, bundle in bundles.items()
                ),
                pacs_port=pacs.port,
                pacs_ae_title=pacs.ae_title,
            ),
            "utf-8",
        )

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "dicom_node", "run", "--config", str(self.settings_file)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - ours
        wait_for_port(self.port, f"the node (see {self.log})")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(60)
