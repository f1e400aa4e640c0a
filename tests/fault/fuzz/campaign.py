"""Running a target on many inputs: what is counted, and what is kept of an input that failed."""

import hashlib
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fault.fuzz.limits import resident_bytes, watching

Target = Callable[[bytes], None]


@dataclass
class Tally:
    """What came of a campaign; `findings` counts failed inputs by where they failed.

    `growth_bytes` is what the process held more at the end than after the first tenth, when all
    that is loaded once has been loaded.
    """

    inputs: int = 0
    duration_s: float = 0.0
    growth_bytes: int = 0
    slowest_s: float = 0.0
    findings: dict[str, int] = field(default_factory=dict)


def run(target: Target, inputs: Iterable[bytes], count: int, keep: Path) -> Tally:
    """Run a target on so many inputs; the first that fails at each place is written to `keep`."""
    tally = Tally()
    began = time.monotonic()
    warm_bytes = resident_bytes()
    with watching() as guarded:
        for data in inputs:
            if tally.inputs == count:
                break
            if tally.inputs == count // 10:
                warm_bytes = resident_bytes()
            tally.inputs += 1
            started = time.process_time()
            try:
                guarded(target, data)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - what a target raises is the finding
                _note(tally, error, data, keep)
            tally.slowest_s = max(tally.slowest_s, time.process_time() - started)
    tally.duration_s = time.monotonic() - began
    tally.growth_bytes = max(0, resident_bytes() - warm_bytes)
    return tally


def _note(tally: Tally, error: BaseException, data: bytes, keep: Path) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    key = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno} {place.name}"
    tally.findings[key] = tally.findings.get(key, 0) + 1
    if tally.findings[key] == 1:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{hashlib.sha256(data).hexdigest()[:16]}.bin").write_bytes(data)
