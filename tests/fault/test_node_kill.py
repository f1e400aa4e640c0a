"""kill -9 of every process, again and again: what was acknowledged stays, and the report comes."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.scu.errors import ScuError
from inference.phantom import make_study
from inference.phantom.haemodynamics import expected
from storage.files.spool import Spool
from tests.node import Destination, Node, running_node
from tests.orthanc import running_orthanc

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
_KILLS = 10


def _study(folder: Path, seed: int) -> list[Path]:
    return make_study(folder, expected(30.0, 9.0), seed=seed, size="small", loops=5, decoys=True)


def _uid(file: Path) -> str:
    return str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)


class _Cart:
    """Sends its studies until every file is acknowledged, as a cart does; remembers what was."""

    def __init__(self, node: Node, studies: list[list[Path]]) -> None:
        self._node = node
        self._studies = studies
        self.acknowledged: set[str] = set()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        for files in self._studies:
            waiting = list(files)
            while waiting:
                try:
                    sent = self._node.send(waiting[:2])
                except (ScuError, OSError):
                    time.sleep(0.2)
                    continue
                done = {result.path for result in sent if result.stored}
                self.acknowledged |= {_uid(path) for path in done}
                waiting = [path for path in waiting if path not in done]
            time.sleep(0.3)


def _kill_now_and_then(node: Node, chance: random.Random, busy: Callable[[], bool]) -> int:
    killed = 0
    while killed < _KILLS or busy():
        time.sleep(chance.uniform(0.5, 2.5))
        if killed < _KILLS:
            role = chance.choice(("listen", "work", "deliver"))
            try:
                node.kill(role)
            except ProcessLookupError:
                continue
            killed += 1
    return killed


def test_ten_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    studies = [_study(tmp_path / f"study-{seed}", seed) for seed in range(6)]
    with running_orthanc(tmp_path / "pacs") as pacs:
        destination = Destination("pacs", pacs.dicom_port, pacs.ae_title)
        with running_node(tmp_path / "node", [destination]) as node:
            cart = _Cart(node, studies)
            cart.thread.start()
            assert _kill_now_and_then(node, chance, cart.thread.is_alive) == _KILLS
            assert len(cart.acknowledged) == sum(map(len, studies))
            spool = Spool(node.folder / "state" / "spool")
            for files in studies:
                uid = str(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
                detail = node.wait_for_report(uid, timeout_s=120)
                indexed = {item.sop_instance_uid: item.digest for item in detail.instances}
                assert {_uid(file) for file in files} == set(indexed)
                for digest in indexed.values():
                    spool.verify(digest)
                node.wait_for_report(uid, revision=detail.summary.revision, timeout_s=120)
                reports = pacs.find(
                    {"Level": "Series", "Query": {"StudyInstanceUID": uid, "Modality": "SR"}}
                )
                made = [item for item in node.study(uid).reports if item.outcome == "estimated"]
                assert len(reports) == len(made) >= 1
