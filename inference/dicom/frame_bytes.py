"""Where the bytes of single frames lie in Pixel Data, found without reading the others."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

from inference.dicom.codestreams import START_BYTES, coding_by_start
from inference.errors import InstanceUnreadableError

ITEM_TAG = b"\xfe\xff\x00\xe0"
_END_TAG = b"\xfe\xff\xdd\xe0"
_MOST_FRAGMENTS = 200_000


@dataclass(frozen=True, slots=True)
class Fragment:
    """The value of one item: where it lies in the file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.offset + self.length


class EncapsulatedFrames:
    """The frames of encapsulated Pixel Data (PS3.5 A.4) that begins at `offset` of a file.

    A frame is found by the extended or basic offset table; where neither is there, or it does not
    lead to whole items, by one pass over the item headers. The pad byte of an item of odd length
    may lie outside of it.

    Raises:
        InstanceUnreadableError: there are no items.
    """

    def __init__(
        self, file: IO[bytes], offset: int, frames: int, extended_offsets: bytes = b""
    ) -> None:
        self._file = file
        self._file_end = file.seek(0, 2)
        self._frames = frames
        table = next(self._items(offset, self._file_end), None)
        if table is None:
            raise InstanceUnreadableError("the pixel data are not in items as their syntax demands")
        basic_offsets = b""
        self._first = offset  # some leave the table out, even its empty item
        if table.length <= 4 * _MOST_FRAGMENTS and not self._starts_frame(table):
            self._first = table.end
            basic_offsets = self._read(table)
        self._tables = (_integers("<Q", extended_offsets), _integers("<I", basic_offsets))
        self._starts = next(filter(None, map(self._usable, self._tables)), None)
        self._found_by_pass: list[list[Fragment]] | None = None

    def read(self, index: int, limit_bytes: int) -> bytes:
        """The codestream of one frame, zero-based.

        Raises:
            InstanceUnreadableError: the frame is not there, not whole, or longer than the limit.
        """
        fragments = self._by_table(index) or self._by_pass(index)
        if not fragments:
            raise InstanceUnreadableError(f"the pixel data end before frame {index + 1}")
        if sum(fragment.length for fragment in fragments) > limit_bytes:
            raise InstanceUnreadableError(f"frame {index + 1} is longer than its picture can be")
        return b"".join(self._read(fragment) for fragment in fragments)

    def all_fragments(self) -> list[Fragment]:
        """Every fragment that lies whole in the file, of whichever frame."""
        fragments = self._items(self._first, self._file_end)
        return [fragment for fragment in fragments if fragment.end <= self._file_end]

    def count(self) -> tuple[int | None, bool]:
        """How many frames lie whole in the items, None where that cannot be told; and whether the
        items end with their delimiter, as PS3.5 A.4 demands: then none is missing.
        """
        if self._starts:  # the last frame by the table tells as much as a pass over all items
            last = list(self._items(self._starts[-1], self._file_end))
            if len(last) == 1 and self._ends_at(last[0].end):
                return self._frames, True
        fragments = self.all_fragments()
        ends = bool(fragments) and self._ends_at(fragments[-1].end)
        whole = [fragment for fragment in fragments if fragment.length]
        if len(whole) == self._frames:
            return self._frames, ends
        starts = sum(map(self._starts_frame, whole))
        if starts in {0, len(whole)}:  # without any signature one item is one frame
            return len(whole), ends
        offsets = {fragment.offset - 8 - self._first for fragment in whole}
        tabled = (len(table) for table in self._tables if table and offsets.issuperset(table))
        if starts in {self._frames, *tabled}:
            return starts, ends
        return None, ends

    def _ends_at(self, position: int) -> bool:
        self._file.seek(position)
        return self._file.read(5).find(_END_TAG) in {0, 1}

    def _by_table(self, index: int) -> list[Fragment]:
        """The fragments between two entries; none where an entry misses the items."""
        if self._starts is None:
            return []
        last = index + 1 == self._frames
        end = self._file_end if last else self._starts[index + 1]
        fragments = list(self._items(self._starts[index], min(end, self._file_end)))
        meets_next = last or (bool(fragments) and 0 <= end - fragments[-1].end <= 1)
        return fragments if meets_next else []

    def _by_pass(self, index: int) -> list[Fragment]:
        if self._found_by_pass is None:
            self._found_by_pass = self._pass_over_items()
        return self._found_by_pass[index] if index < len(self._found_by_pass) else []

    def _pass_over_items(self) -> list[list[Fragment]]:
        fragments = list(self._items(self._first, self._file_end))
        if self._frames == 1:
            return [fragments]
        starts = [i for i, fragment in enumerate(fragments) if self._starts_frame(fragment)]
        if not starts or len(fragments) == self._frames:
            return [[fragment] for fragment in fragments]
        return [fragments[here:there] for here, there in pairwise([*starts, len(fragments)])]

    def _starts_frame(self, fragment: Fragment) -> bool:
        self._file.seek(fragment.offset)
        start = self._file.read(min(8, fragment.length))
        if start[:2] in {b"\0\0", b"\0\xff", b"\xff\0", b"\xff\xff"}:  # perhaps fill
            start += self._file.read(min(START_BYTES, fragment.length) - len(start))
        return coding_by_start(start) is not None

    def _items(self, position: int, end: int) -> Iterator[Fragment]:
        """Items from a position up to `end` or to what is no item; the last may be cut off.

        Raises:
            InstanceUnreadableError: there are more items than a cine can have.
        """
        odd = False
        for _ in range(_MOST_FRAGMENTS):
            if position + 8 > end:
                return
            self._file.seek(position)
            head = self._file.read(9)
            if odd and not head.startswith(ITEM_TAG):
                head, position = head[1:], position + 1
            if len(head) < 8 or not head.startswith(ITEM_TAG):
                return
            (length,) = struct.unpack("<I", head[4:8])
            odd = length % 2 == 1
            yield Fragment(position + 8, length)
            position += 8 + length
        raise InstanceUnreadableError("the pixel data are in more pieces than a cine can have")

    def _read(self, fragment: Fragment) -> bytes:
        if fragment.end > self._file_end:
            raise InstanceUnreadableError("the pixel data are shorter than they should be")
        self._file.seek(fragment.offset)
        return self._file.read(fragment.length)

    def _usable(self, offsets: Sequence[int]) -> list[int] | None:
        """Positions in the file, if the table begins at zero and ascends over all frames."""
        if len(offsets) != self._frames or offsets[0] != 0:
            return None
        ascending = all(earlier < later for earlier, later in pairwise(offsets))
        return [self._first + offset for offset in offsets] if ascending else None


def _integers(form: str, table: bytes) -> Sequence[int]:
    whole = len(table) - len(table) % struct.calcsize(form)
    return [value for (value,) in struct.iter_unpack(form, table[:whole])]
