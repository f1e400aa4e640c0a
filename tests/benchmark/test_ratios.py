"""The speed that was won is not lost again: ratios to a peer in the same run, with wide margins.

The figures themselves are in README.md, from commands.
"""

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from tests.benchmark import decode, receivers
from tests.benchmark import receive_workloads as workloads
from tests.benchmark.receive_workloads import Workload
from tests.peers import require

Receiver = Callable[[Path], AbstractContextManager[tuple[int, str]]]


def rate(receiver: Receiver, workload: Workload, folder: Path, *, no_delay: bool) -> float:
    with (
        receivers.tcp_no_delay(no_delay),
        tempfile.TemporaryDirectory(dir=folder) as empty,
        receiver(Path(empty)) as (port, ae_title),
    ):
        return receivers.send(workload, port, ae_title)


@pytest.mark.long
def test_small_objects_of_a_cart_come_in_far_faster_than_to_storescp(tmp_path: Path) -> None:
    require("storescu")
    small = workloads.small_objects(tmp_path, 40)
    ours = rate(receivers.node, small, tmp_path, no_delay=False)
    theirs = rate(receivers.storescp, small, tmp_path, no_delay=False)
    assert ours > 3 * theirs  # twelve times, on an idle machine


@pytest.mark.long
def test_durable_cines_come_in_not_much_slower_than_undurable_ones(tmp_path: Path) -> None:
    require("storescu")
    cines = workloads.jpeg_cines(tmp_path, 8)
    ours = [rate(receivers.node, cines, tmp_path, no_delay=True) for _ in range(2)]
    theirs = [rate(receivers.storescp, cines, tmp_path, no_delay=True) for _ in range(2)]
    assert np.max(ours) > 0.12 * np.max(theirs)  # 0.4, on an idle machine


def test_ten_frames_are_decoded_without_the_other_fifty(tmp_path: Path) -> None:
    [cine] = workloads.jpeg_cines(tmp_path, 1).files
    ours = decode.rate(lambda path: decode.decode_frames(path, frame_indices=decode.FRAMES), [cine])
    theirs = decode.rate(decode.by_index, [cine])
    assert ours > 2.5 * theirs  # ten times, on an idle machine
