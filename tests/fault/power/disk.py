"""A disk as a power cut leaves it: what was synced is there, of the rest anything may be.

Stricter than most file systems, as POSIX is: the bytes of a file survive by its own sync, its name
by the sync of its folder, and both folders of a rename must be synced.
"""

import random
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

_HEAD = struct.Struct("=cQ")
_NUMBER = struct.Struct("=Q")
_NUMBERS = {b"O": 1, b"W": 2, b"T": 2, b"S": 1}
_SECTOR_BYTES = 512


class Record(NamedTuple):
    """One call; the letters are those of `shim.c`."""

    what: str
    numbers: tuple[int, ...]
    data: bytes


def read_log(log: Path) -> Iterator[Record]:
    """All calls, in order; one that was being written when its process died never happened."""
    with log.open("rb") as file:
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            what, size = _HEAD.unpack(head)
            body = file.read(size)
            if len(body) < size:
                return
            count = _NUMBERS.get(what, 0)
            numbers = tuple(_NUMBER.unpack_from(body, 8 * n)[0] for n in range(count))
            yield Record(what.decode(), numbers, body[8 * count :])


class _Change(NamedTuple):
    """Bytes written at an offset; without bytes, the file cut to that size."""

    offset: int
    data: bytes | None


@dataclass(eq=False)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()

    def survivor(self, chance: random.Random | None) -> bytes:
        """What is left: the synced bytes and, with `chance`, any of the later writes."""
        left = bytearray(self.durable)
        for change in self.pending if chance else ():
            if chance and chance.random() < 0.5:
                _apply(left, _torn(change, chance))
        return bytes(left)


def _apply(content: bytearray, change: _Change) -> None:
    if change.data is None:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.data)] = change.data


def _torn(change: _Change, chance: random.Random) -> _Change:
    """Now and then only the first sectors of a write."""
    if change.data is None or chance.random() < 0.8:
        return change
    sectors = chance.randint(0, len(change.data) // _SECTOR_BYTES)
    return change._replace(data=change.data[: sectors * _SECTOR_BYTES])


_Node = _File | Literal["folder"]


class Disk:
    """Follows the calls of a process; begins with what a folder holds, all of it durable."""

    def __init__(self, root: Path) -> None:
        self._root = str(root.resolve())
        self._files: dict[int, _File] = {}
        self._seen: dict[str, _Node] = {}
        for path in [root, *root.rglob("*")]:
            self._seen[str(path.resolve())] = self._found(path)
        self._durable = dict(self._seen)
        self._pending: dict[str, list[tuple[str, _Node | None]]] = defaultdict(list)

    def _found(self, path: Path) -> _Node:
        if path.is_dir():
            return "folder"
        file = _File(bytearray(path.read_bytes()))
        self._files[path.stat().st_ino] = file
        return file

    def follow(self, record: Record) -> None:
        """Take one call into account."""
        text = record.data.decode(errors="replace") if record.what in "OSRUM" else ""
        match record.what:
            case "O":
                self._open(text, record.numbers[0])
            case "W":
                number, offset = record.numbers
                self._files[number].pending.append(_Change(offset, record.data))
            case "T":
                number, size = record.numbers
                self._files[number].pending.append(_Change(size, None))
            case "S" if record.numbers[0]:
                self._files[record.numbers[0]].sync()
            case "S":
                self._sync_folder(text)
            case "R":
                source, _, target = text.partition("\0")
                node = self._seen[source]
                self._name(source, None)
                self._name(target, node)
            case "U":
                self._name(text, None)
            case "M":
                self._name(text, "folder")

    def _open(self, path: str, number: int) -> None:
        before = self._seen.get(path)
        if isinstance(before, _File) and self._files.get(number) is before:
            before.pending.append(_Change(0, None))
            return
        self._files[number] = _File()
        self._name(path, self._files[number])

    def _name(self, path: str, node: _Node | None) -> None:
        if node is None:
            self._seen.pop(path, None)
        else:
            self._seen[path] = node
        self._pending[path.rpartition("/")[0]].append((path, node))

    def _sync_folder(self, folder: str) -> None:
        _rename(self._durable, self._pending.pop(folder.rstrip("/"), []))

    def survivors(self, chance: random.Random | None = None) -> Mapping[str, bytes]:
        """The files after a power cut now, by path below the root.

        Without `chance` only what was synced; with it, of each folder the first few of the later
        changes too (file systems keep their order), and of each file any of its later writes.
        """
        names = dict(self._durable)
        for changes in self._pending.values() if chance else ():
            if chance:
                _rename(names, changes[: chance.randint(0, len(changes))])
        return {
            path[len(self._root) + 1 :]: node.survivor(chance)
            for path, node in names.items()
            if isinstance(node, _File) and self._reachable(path, names)
        }

    def _reachable(self, path: str, names: Mapping[str, _Node]) -> bool:
        while path != self._root:
            path = path.rpartition("/")[0]
            if names.get(path) != "folder":
                return False
        return True


def _rename(names: dict[str, _Node], changes: list[tuple[str, _Node | None]]) -> None:
    for path, node in changes:
        if node is None:
            names.pop(path, None)
        else:
            names[path] = node
