"""What the listener does when the disk fills, the database goes, or a sender vanishes."""

import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA

from storage.audit.trail import Action
from storage.database.owner import this_process
from storage.errors import DatabaseUnavailableError
from storage.files.spool import Spool
from tests.peers import wait_until
from tests.scp_listening import Item, associated, item, listening, send, store

SMALL_DISK_BYTES = 2 << 20


def large(size_bytes: int = 4 << 20) -> Item:
    """An instance with pixels that the small disk has no room for."""
    one = item()
    return (
        *one[:3],
        one[3]
        + b"\xe0\x7f\x10\x00OB\0\0"
        + size_bytes.to_bytes(4, "little")
        + os.urandom(size_bytes),
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes; mounting one takes root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def begin(association: Association, one: Item, share: float) -> None:
    """Send the first part of a C-STORE, as a sender does that dies in the middle."""
    request = C_STORE()
    request.MessageID = 7
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = one[0], one[1]
    request.Priority = 2
    request.DataSet = BytesIO(one[3])
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    context = association.accepted_contexts[0].context_id
    assert context is not None
    fragments: list[P_DATA] = list(message.encode_msg(context, 16_384))
    for fragment in fragments[: int(len(fragments) * share)]:
        association.dul.send_pdu(fragment)


def test_a_full_disk_is_answered_and_the_association_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    small, big = item(), large()
    spool = Spool(small_disk / "spool")
    with (
        listening(tmp_path, spool=spool) as node,
        associated(node.port, [small]) as association,
    ):
        response = store(association, big)
        assert response.Status == 0xA700
        assert response.ErrorComment == "No space left to store the instance"
        assert int(store(association, small).Status) == 0
        assert len(node.spool_files()) == 1
        [refused] = node.events(Action.INSTANCE_REFUSED)
        assert refused.detail["status"] == "0xA700"


def test_the_same_instance_is_taken_once_there_is_room_again(
    tmp_path: Path, small_disk: Path
) -> None:
    one = large(1 << 20)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(SMALL_DISK_BYTES * 3 // 4))
    spool = Spool(small_disk / "spool")
    with listening(tmp_path, spool=spool) as node:
        assert send(node.port, one) == [0xA700]
        ballast.unlink()
        assert send(node.port, one) == [0]
        assert len(node.spool_files()) == 1


def test_below_the_low_water_mark_nothing_is_begun(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", low_water_bytes=1 << 62)
    with listening(tmp_path, spool=spool) as node:
        assert send(node.port, item(), item()) == [0xA700, 0xA700]
        assert node.spool_files() == []


@pytest.mark.parametrize("how", ["abort", "vanish"])
def test_half_an_instance_leaves_nothing_behind(tmp_path: Path, how: str) -> None:
    one = large()
    with listening(tmp_path) as node:
        with associated(node.port, [one]) as association:
            begin(association, one, share=0.5)
            wait_until(
                lambda: any(file.stat().st_size > 1 << 20 for file in node.spool_files()),
                what="half the instance arrived",
            )
            if how == "abort":
                association.abort()
            else:
                assert association.dul.socket is not None
                association.dul.socket.close()
        node.wait_for(Action.ASSOCIATION_CLOSED)
        assert node.spool_files() == []
        assert node.studies() == []
        assert send(node.port, one) == [0]


def test_stop_abandons_an_instance_that_never_comes(tmp_path: Path) -> None:
    one = large()
    with listening(tmp_path) as node, associated(node.port, [one]) as association:
        begin(association, one, share=0.5)
        wait_until(node.spool_files, what="the instance begins to arrive")
        node.listener.stop(grace_s=0.5)
        assert node.spool_files() == []
        assert node.events(Action.INSTANCE_STORED) == []
        assert len(node.events(Action.ASSOCIATION_CLOSED)) == 1


def test_without_the_database_nobody_is_let_in_and_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = item()
    with listening(tmp_path) as node:
        with associated(node.port, [one]) as association:
            with monkeypatch.context() as gone:
                gone.setattr(type(node.database), "write", unavailable)
                assert int(store(association, one).Status) == 0xA700
                with associated(node.port, [one]) as second:
                    assert second.is_rejected
            assert int(store(association, one).Status) == 0
        node.wait_for(Action.ASSOCIATION_CLOSED)


def test_an_ending_that_could_not_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path) as node:
        with monkeypatch.context() as gone:
            with associated(node.port, [item()]) as association:
                assert association.is_established
                gone.setattr(type(node.database), "write", unavailable)
            wait_until(lambda: not node.listener._associations.open(), what="it has ended")
        node.wait_for(Action.ASSOCIATION_CLOSED)


def unavailable(*_: object) -> None:
    raise DatabaseUnavailableError("the server is gone")


def test_leftovers_of_a_dead_process_are_cleared_at_start(tmp_path: Path) -> None:
    host, pid, _ = this_process().rsplit(":", 2)
    spool = Spool(tmp_path / "spool")
    left = spool.root / "incoming" / f"{host}:{pid}:another-life-0123.part"
    left.write_bytes(b"half an instance")
    with listening(tmp_path, spool=spool):
        assert not left.exists()
