"""Frames of one video stream as RGB on standard output, 8 bits, pixel by pixel.

A program of its own, not a module to import: video brings its own file formats, which a damaged or
hostile one uses to claim any amount of memory. Standard input says in JSON which descriptor holds
the file, the (offset, length) of the stream's fragments in it, rows, columns, how many frames the
header states, and the zero-based indices wanted, ascending. Nothing is written to any disk.

Two passes: the first only splits the stream into packets; the second decodes from the key frame
before each wanted frame up to it and leaves out what lies between.
"""

import json
import os
import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, NoReturn

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

REFUSED = 3
_MOST_PACKETS = 200_000
_FRAMES_TOLERATED = 2
_NO_TIME = -(2**63)
_BLOCK_PX = 128  # a coded picture is larger than what is shown of it
#: Nothing is opened but what we hand over: such files may name others, and addresses.
_FORMATS = "mpegvideo,mpeg,mpegts,h264,hevc,mov"
_CODECS = "mpeg1video,mpeg2video,h264,hevc"


class Fragments:
    """The fragments as one stream, read where they lie in a file."""

    def __init__(self, descriptor: int, fragments: Sequence[tuple[int, int]]) -> None:
        self._descriptor = descriptor
        self._fragments = fragments
        self._starts = list(accumulate((length for _, length in fragments), initial=0))
        self._position = 0

    def tell(self) -> int:
        """The position in the stream."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as files do."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def read(self, size: int) -> bytes:
        """Read up to so many bytes of the fragment at the position; none at the end."""
        if self._position >= self._starts[-1]:
            return b""
        number = bisect_right(self._starts, self._position) - 1
        offset, length = self._fragments[number]
        within = self._position - self._starts[number]
        data = os.pread(self._descriptor, min(size, length - within), offset + within)
        self._position += len(data)
        return data


class Time(NamedTuple):
    """When a packet's picture is shown, in the stream's units, and whether it is a key frame."""

    shown: int
    key: bool


class Video:
    """One stream; `most_pixels` bounds its pictures."""

    def __init__(self, source: Fragments, most_pixels: int) -> None:
        self._source = source
        self._options = {
            "format_whitelist": _FORMATS,
            "codec_whitelist": _CODECS,
            "protocol_whitelist": "none",
            "max_pixels": str(most_pixels),
        }

    def open(self) -> InputContainer:
        """The stream from its start."""
        self._source.seek(0)
        return av.open(self._source, mode="r", options=self._options)

    def times(self) -> list[Time]:
        """Every packet that holds a picture, in the order in which they were sent."""
        with self.open() as container:
            packets = _packets(container)
            return [
                Time(_NO_TIME if packet.pts is None else packet.pts, packet.is_keyframe)
                for packet in packets
            ]

    def frames(self, runs: Sequence[tuple[int, int]]) -> Iterator[VideoFrame]:
        """The pictures of some runs of packets, each from a key frame to its last, in order."""
        with self.open() as container:
            context = container.streams.video[0].codec_context
            context.thread_count = 1
            context.options = {"max_pixels": self._options["max_pixels"], "err_detect": "explode"}
            left = iter(runs)
            first, last = next(left)
            for position, packet in enumerate(_packets(container)):
                if position < first:
                    continue
                yield from context.decode(packet)
                if position == last:
                    yield from context.decode(None)
                    context.flush_buffers()
                    following = next(left, None)
                    if following is None:
                        return
                    first, last = following


def _packets(container: InputContainer) -> Iterator["Packet[VideoStream]"]:
    for number, packet in enumerate(container.demux(video=0)):
        if number > _MOST_PACKETS:
            refuse("the video has more frames than a cine can have")
        if packet.size:
            yield packet


def runs_for(times: Sequence[Time], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """The packets to decode for some frames: ranges that begin with a key frame, last included.

    A picture may be sent after a key frame and shown before it: it then needs the one before that.
    """
    order = sorted(range(len(times)), key=lambda position: times[position].shown)
    keys = [position for position, time in enumerate(times) if time.key]
    runs: list[tuple[int, int]] = []
    for last in sorted(order[index] for index in wanted):
        shown = times[last].shown
        first = max((key for key in keys if key <= last and times[key].shown <= shown), default=0)
        while runs and first <= runs[-1][1]:
            first = min(first, runs.pop()[0])
        runs.append((first, last))
    return runs


def wanted_frames(video: Video, wanted: Sequence[int], stated: int) -> Iterator[VideoFrame]:
    """The wanted frames, in their order; fewer where the stream ends before.

    Streams without times cannot be entered in their middle: those are decoded from their start.
    """
    times = video.times()
    shown = sorted(time.shown for time in times)
    timed = _NO_TIME not in shown and len(set(shown)) == len(times) > wanted[-1]
    if timed and abs(len(times) - stated) > max(_FRAMES_TOLERATED, stated // 50):
        refuse(f"the video holds {len(times)} frames where its header says {stated}")
    numbers = {time: number for number, time in enumerate(shown)}
    left = deque(wanted)
    runs = runs_for(times, wanted) if timed else [(0, len(times) - 1)]
    for count, frame in enumerate(video.frames(runs)):
        number = numbers.get(_NO_TIME if frame.pts is None else frame.pts, -1) if timed else count
        if number > left[0]:
            refuse(f"frame {left[0] + 1} of the video is damaged")
        if number == left[0]:
            yield frame
            left.popleft()
            if not left:
                return


def main() -> None:
    """Decode; any failure, a crash included, is an exit status other than 0."""
    job = json.load(sys.stdin)
    rows, columns, wanted = job["rows"], job["columns"], job["wanted"]
    source = Fragments(job["descriptor"], job["fragments"])
    video = Video(source, (rows + _BLOCK_PX) * (columns + _BLOCK_PX))
    count = 0
    for frame in wanted_frames(video, wanted, job["frames"]):
        if (frame.height, frame.width) != (rows, columns):
            refuse(f"the video is {frame.height} x {frame.width}, its header {rows} x {columns}")
        if frame.is_corrupt:
            refuse("a frame of the video is damaged")
        sys.stdout.buffer.write(frame.to_ndarray(format="rgb24").tobytes())
        count += 1
    if count < len(wanted):
        refuse(f"the video ends before frame {wanted[count] + 1}")


def refuse(reason: str) -> NoReturn:
    """End with a reason that holds numbers only."""
    sys.stderr.write(reason)
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
