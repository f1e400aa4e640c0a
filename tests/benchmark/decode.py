"""How fast ten frames of a loop become grey, beside pydicom and the floor of reading their bytes.

    python -m tests.benchmark.decode [--quick]

Writes `decode.json`, `decode.png` and the section "Decode" of the README beside this file;
`--quick` decodes less, once, and writes nothing here.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pydicom import dcmread
from pydicom.pixels import iter_pixels

from inference.dicom.frame_bytes import EncapsulatedFrames
from inference.dicom.part10 import open_part10
from inference.ultrasound.decoding import decode_frames
from tests.benchmark import measuring
from tests.benchmark import receive_workloads as workloads
from tests.benchmark.measuring import Figure

HERE = Path(__file__).resolve().parent
SUBJECT = "echonode"
#: One beat of a clip of 60 frames.
FRAMES = tuple(range(3, 43, 4))


def whole(path: Path) -> None:
    """What every example does."""
    _ = dcmread(path).pixel_array[list(FRAMES)]


def by_index(path: Path) -> None:
    for _ in iter_pixels(path, indices=list(FRAMES)):
        pass


def bytes_alone(path: Path) -> None:
    """The floor: the codestreams of the ten frames, read and thrown away."""
    with open_part10(path) as part10:
        assert part10.pixels
        frames = EncapsulatedFrames(part10.file, part10.pixels.offset, 60)
        for index in FRAMES:
            frames.read(index, 2**24)


def rate(decode: Callable[[Path], object], files: Sequence[Path]) -> float:
    """Loops per second, one after the other."""
    started_s = time.perf_counter()
    for path in files:
        decode(path)
    return len(files) / (time.perf_counter() - started_s)


def rate_on_threads(files: Sequence[Path]) -> float:
    """Loops per second as the worker decodes them: two at a time."""
    started_s = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(partial(decode_frames, frame_indices=FRAMES), files))
    return len(files) / (time.perf_counter() - started_s)


def measure(folder: Path, rounds: int, count: int) -> list[Figure]:
    files = workloads.jpeg_cines(folder, count).files
    few = files[: max(1, count // 8)]
    ours = partial(decode_frames, frame_indices=FRAMES)
    return measuring.interleave(
        "10 of 60 JPEG frames, 800 x 600",
        "loops/s",
        rounds,
        {
            SUBJECT: partial(rate, ours, files),
            f"{SUBJECT}, two threads": partial(rate_on_threads, files),
            "pydicom pixel_array": partial(rate, whole, few[:1]),
            "pydicom iter_pixels": partial(rate, by_index, few),
            "floor: the bytes alone": partial(rate, bytes_alone, files),
        },
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer loops, once")
    arguments = parser.parse_args()
    where = measuring.machine()
    with tempfile.TemporaryDirectory() as folder:
        quick = arguments.quick
        figures = measure(Path(folder), 1 if quick else 3, 4 if quick else 16)
    per_loop = ", ".join(f"{item.contestant} {1000 / item.median:.1f}" for item in figures)
    table = f"{measuring.table(figures, SUBJECT)}\n\nMilliseconds per loop: {per_loop}."
    print(table)  # noqa: T201 - a command
    if not quick:
        machine = "; ".join(f"{name}: {value}" for name, value in where.items())
        text = (
            "## Decode\n\n`python -m tests.benchmark.decode`. Only the ten frames of one beat are "
            "found, read and decoded, their luma alone; files lie in the page cache for all. On a "
            "GPU (nvJPEG): not measured.\n\n"
            f"Measured: {machine}.\n\n{table}\n\n![medians](decode.png)"
        )
        measuring.write_json(HERE / "decode.json", where, figures)
        measuring.plot(HERE / "decode.png", "Decode", figures)
        measuring.write_section(HERE / "README.md", "decode", text)


if __name__ == "__main__":
    main()
