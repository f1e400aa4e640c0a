"""The spool: whole, durable files named by what they hold."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.database.owner import this_process
from storage.errors import (
    SpoolAwayError,
    SpoolDamagedError,
    SpoolUnavailableError,
    StorageError,
    StorageFullError,
)
from storage.files.spool import Spool, SpoolFile
from storage.keeping import removal

CONTENT = b"DICM" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def leftovers(spool: Spool) -> list[Path]:
    return list((spool.root / "incoming").iterdir())


def test_a_kept_file_is_named_by_its_content(spool: Spool) -> None:
    with spool.incoming() as file:
        for start in range(0, len(CONTENT), 7):
            file.write(memoryview(CONTENT)[start : start + 7])
        assert file.size_bytes == len(CONTENT)
        assert file.keep() == SpoolFile(DIGEST, len(CONTENT))
    assert spool.path(DIGEST) == spool.root / "objects" / DIGEST[:2] / f"{DIGEST}.dcm"
    with spool.open(DIGEST) as kept:
        assert kept.read() == CONTENT
    spool.verify(DIGEST)
    assert leftovers(spool) == []


def test_a_file_that_is_not_kept_leaves_nothing(spool: Spool) -> None:
    with spool.incoming() as file:
        file.write(CONTENT)
    file.discard()
    assert not spool.exists(DIGEST)
    assert leftovers(spool) == []


def test_a_file_that_fails_midway_leaves_nothing(spool: Spool) -> None:
    with pytest.raises(RuntimeError), spool.incoming() as file:
        file.write(CONTENT)
        raise RuntimeError
    assert leftovers(spool) == []


def test_the_same_content_is_kept_once(spool: Spool) -> None:
    assert spool.put(CONTENT) == spool.put(bytearray(CONTENT))
    assert len(list((spool.root / "objects").rglob("*.dcm"))) == 1
    assert leftovers(spool) == []


def test_a_cut_off_file_is_replaced_when_its_content_comes_again(spool: Spool) -> None:
    spool.put(CONTENT)
    spool.path(DIGEST).write_bytes(CONTENT[:10])
    spool.put(CONTENT)
    spool.verify(DIGEST)


def test_damage_is_found(spool: Spool) -> None:
    spool.put(CONTENT)
    spool.path(DIGEST).write_bytes(b"DICM" * 999 + b"MCID")
    with pytest.raises(SpoolDamagedError, match="other bytes"):
        spool.verify(DIGEST)
    spool.path(DIGEST).unlink()
    with pytest.raises(SpoolDamagedError, match="missing"):
        spool.verify(DIGEST)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST[1:]])
def test_only_a_digest_names_a_file(spool: Spool, digest: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        spool.path(digest)


def test_bytes_and_names_are_synced_before_a_file_counts_as_kept(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        synced = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(f"sync {synced.suffix or synced.relative_to(spool.root)}")
        fsync(descriptor)

    def watched_replace(source: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    spool.put(CONTENT)
    assert steps == ["sync .part", "rename", f"sync objects/{DIGEST[:2]}"]


def test_the_folders_are_durable_before_any_file_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def watched_fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    root = Spool(tmp_path / "spool").root
    marker, *folders = synced
    assert marker.name.startswith("spool.id")
    assert folders == [root / "objects", root]
    assert len(list((root / "objects").iterdir())) == 256


def test_a_large_file_is_hashed_and_synced_beside_its_writer(spool: Spool) -> None:
    content = os.urandom(5 << 20)
    with spool.incoming() as file:
        for start in range(0, len(content), 100_000):
            file.write(memoryview(content)[start : start + 100_000])
        file.sync_beside()
        settling = file.keep_beside()
        settling.wait()
    assert settling.file == SpoolFile(hashlib.sha256(content).hexdigest(), len(content))
    spool.verify(settling.file.digest)
    assert leftovers(spool) == []


def test_who_waits_for_a_file_hears_that_the_disk_failed(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with spool.incoming() as file:
        file.write(CONTENT)
        monkeypatch.setattr(os, "fsync", full)
        file.sync_beside()
        settling = file.keep_beside()
        with pytest.raises(StorageFullError):
            settling.wait()
    assert not spool.exists(DIGEST)
    assert leftovers(spool) == []


def test_a_file_that_is_refused_while_it_is_synced_leaves_nothing(spool: Spool) -> None:
    with spool.incoming() as file:
        file.write(CONTENT)
        file.sync_beside()
    assert not spool.exists(DIGEST)
    assert leftovers(spool) == []


def test_leftovers_of_dead_processes_are_removed_and_no_others(spool: Spool) -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import os, sys; from pathlib import Path; from storage.files.spool import Spool;"
                "Spool(Path(sys.argv[1])).incoming().write(b'half'); os._exit(1)"
            ),
            str(spool.root),
        ],
        check=False,
    )
    assert child.returncode == 1
    elsewhere = spool.root / "incoming" / "another-host:1:boot.1-00ff.part"
    elsewhere.touch()
    with spool.incoming() as mine:
        assert spool.clean_incoming() == 1
        assert sorted(leftovers(spool)) == sorted([elsewhere, mine.path])
    assert mine.path.name.startswith(this_process())


def test_room_is_what_is_left_above_the_low_water_mark(tmp_path: Path) -> None:
    free = Spool(tmp_path).free_bytes()
    assert free > 0
    assert Spool(tmp_path, low_water_bytes=free // 2).has_room()
    assert not Spool(tmp_path, low_water_bytes=free * 2).has_room()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EIO, StorageError),
    ],
)
def test_a_sync_that_fails_keeps_nothing_even_if_tried_again(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int, error: type[StorageError]
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(ValueError, match="closed"), spool.incoming() as file:
        file.write(CONTENT)
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", failing)
            with pytest.raises(error):
                file.keep()
        file.keep()
    assert not spool.exists(DIGEST)
    assert leftovers(spool) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("no small disk can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_said_and_recovered_from(small_disk: Path) -> None:
    spool = Spool(small_disk)
    with pytest.raises(StorageFullError), spool.incoming() as file:
        while True:
            file.write(bytes(100_000))
    assert leftovers(spool) == []
    assert spool.put(CONTENT).digest == DIGEST
    spool.verify(DIGEST)


@contextmanager
def away(spool: Spool, *, filled: bool = False) -> Iterator[None]:
    """The spool's volume is not mounted: its mount point is an empty folder, or once filled."""
    elsewhere = spool.root.with_name("elsewhere")
    spool.root.rename(elsewhere)
    spool.root.mkdir()
    if filled:
        for name in ("incoming", "objects", f"objects/{DIGEST[:2]}"):
            (spool.root / name).mkdir()
    try:
        yield
    finally:
        shutil.rmtree(spool.root)
        elsewhere.rename(spool.root)


Use = Callable[[Spool], object]
USES: dict[str, Use] = {
    "receive": lambda spool: spool.incoming(),
    "keep": lambda spool: spool.put(CONTENT),
    "room": lambda spool: spool.has_room(),
    "exists": lambda spool: spool.exists(DIGEST),
    "open": lambda spool: spool.open(DIGEST),
    "verify": lambda spool: spool.verify(DIGEST),
    "remove": lambda spool: spool.remove(DIGEST, kept_before=datetime.max.replace(tzinfo=UTC)),
    "list": lambda spool: list(spool.digests()),
    "hold": lambda spool: removal.holding(spool).__enter__(),
    "open again": lambda spool: Spool(spool.root, identity=spool.identity),
}


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_spool_that_is_away_is_said_to_be_and_nothing_is_made_in_its_place(
    spool: Spool, use: Use, filled: bool
) -> None:
    spool.put(CONTENT)
    with away(spool, filled=filled):
        before = sorted(spool.root.rglob("*"))
        with pytest.raises(SpoolAwayError, match=r"mount the spool's volume"):
            use(spool)
        assert sorted(spool.root.rglob("*")) == before
    assert spool.exists(DIGEST)
    spool.verify(DIGEST)


def test_a_file_on_its_way_when_the_spool_goes_is_not_kept(spool: Spool) -> None:
    with spool.incoming() as file:
        file.write(CONTENT)
        with away(spool, filled=True), pytest.raises(SpoolAwayError):
            file.keep()
    assert not spool.exists(DIGEST)


def test_a_file_that_is_read_when_the_spool_goes_is_not_said_to_be_bad(spool: Spool) -> None:
    spool.put(CONTENT)
    with away(spool), pytest.raises(SpoolAwayError), spool.reading(DIGEST):
        pass
    # Here it is back before anybody looks: the file alone could not be read.
    with pytest.raises(SpoolUnavailableError), spool.reading(DIGEST) as path, away(spool):
        path.read_bytes()


def test_another_spool_is_not_ours(spool: Spool, tmp_path: Path) -> None:
    other = Spool(tmp_path / "other")
    with pytest.raises(SpoolAwayError, match="another spool"):
        Spool(other.root, identity=spool.identity)


def test_a_spool_keeps_its_identity_whoever_opens_it(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: Spool(root).identity, range(8)))
    assert found == {Spool(root).identity}
    assert len(list(root.glob("spool.id*"))) == 1


@pytest.mark.parametrize(
    "number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM]
)
def test_a_disk_that_does_not_answer_says_nothing_about_a_file(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    spool.put(CONTENT)
    open_path = Path.open

    def failing(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.suffix == ".dcm":
            raise OSError(number, os.strerror(number))
        return open_path(path, *arguments, **named)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", failing)
        with pytest.raises(SpoolUnavailableError) as one_file:
            spool.verify(DIGEST)
        assert not isinstance(one_file.value, SpoolAwayError), "the rest of the spool answers"
    spool.verify(DIGEST)


def test_an_unreadable_marker_means_that_the_whole_disk_does_not_answer(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_arguments: Any, **_named: Any) -> Any:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(SpoolAwayError, match="Input/output error"):
        spool.open(DIGEST)
