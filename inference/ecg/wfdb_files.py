"""WFDB records, as PTB-XL and MIMIC-IV-ECG are kept: a text header beside files of samples.

Source: WFDB Applications Guide, header(5) and signal(5); formats 16 and 212.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from inference.ecg.leads import LEADS, Named, lead_called
from inference.ecg.recording import Recording
from inference.ecg.waveform import MILLIVOLTS
from inference.errors import InstanceUnreadableError

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_RECORD = re.compile(rf"[^\s/]+ (?P<signals>\d+) (?P<rate>{_NUMBER})\S* (?P<samples>\d+)( .*)?")
_SIGNAL = re.compile(
    rf"(?P<file>\S+) (?P<format>\d+)(?P<more>[x:]\S+)?(\+(?P<offset>\d+))?"
    rf"( (?P<gain>{_NUMBER})(\((?P<baseline>-?\d+)\))?(/(?P<unit>\S+))?"
    rf"( \d+( (?P<zero>-?\d+)( -?\d+( (?P<checksum>-?\d+)( \d+( (?P<name>.*))?)?)?)?)?)?)?"
)
#: Where a header states no gain (or 0): units of ADC per mV.
_USUAL_GAIN = 200.0
_MOST_SAMPLES = 10_000_000

Samples = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Signal:
    file: str
    format: str
    offset: int
    mv_per_unit: float
    baseline: int
    checksum: int | None
    named: Named | None


def read_record(header: Path) -> Recording:
    """The leads of a record by their names, in mV; NaN where there is no lead, or no value.

    `header` is its .hea file; what is no lead is left out.

    Raises:
        InstanceUnreadableError: header or samples are damaged, or of a kind that is not read.
        OSError: a file cannot be read.
    """
    lines = header.read_text("utf-8", errors="replace").splitlines()
    lines = [" ".join(line.split()) for line in lines if line.strip() and line[0] != "#"]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None or float(record["rate"]) <= 0:
        _refuse("its first line states no signals, sampling rate and samples (one segment only)")
    signals = [_signal(line) for line in lines[1:]]
    count, rate = int(record["samples"]), float(record["rate"])
    if len(signals) != int(record["signals"]):
        _refuse(f"{record['signals']} signals are stated and {len(signals)} described")
    if not 0 < count <= _MOST_SAMPLES:
        _refuse(f"{count} samples are stated")
    leads = np.full((len(LEADS), count), np.nan)
    channels: list[tuple[int, int]] = []
    for _, group in groupby(enumerate(signals, 1), lambda numbered: numbered[1].file):
        numbered = list(group)
        samples = _samples(header.parent, [signal for _, signal in numbered], count)
        for column, (number, signal) in zip(samples.T, numbered, strict=True):
            if signal.named and np.isnan(leads[signal.named.lead]).all():
                leads[signal.named.lead] = _mv(column, signal)
                channels.append((1, number))
    return Recording(leads, rate, tuple(channels))


def _signal(line: str) -> _Signal:
    found = _SIGNAL.fullmatch(line)
    if found is None or found["more"] or found["format"] not in _READERS:
        _refuse("a signal is of a kind that is not read (formats 16 and 212, one sample a frame)")
    if Path(found["file"]).name != found["file"]:
        _refuse("its samples lie in another folder")
    unit = MILLIVOLTS.get(found["unit"] or "mV")
    named = lead_called(found["name"] or "")
    if named and unit is None:
        _refuse(f"lead {LEADS[named.lead]} is in {found['unit']}, which is no voltage")
    zero = int(found["zero"] or 0)
    return _Signal(
        file=found["file"],
        format=found["format"],
        offset=int(found["offset"] or 0),
        mv_per_unit=(unit or 1.0) / (float(found["gain"] or 0) or _USUAL_GAIN),
        baseline=zero if found["baseline"] is None else int(found["baseline"]),
        checksum=None if found["checksum"] is None else int(found["checksum"]),
        named=named,
    )


def _samples(folder: Path, signals: list[_Signal], count: int) -> Samples:
    """The samples (count, signals) of one file, in which its signals take turns."""
    first = signals[0]
    content = (folder / first.file).read_bytes()[first.offset :]
    values = _READERS[first.format](content)
    if len(values) < count * len(signals):
        _refuse(f"{len(values)} samples, where {count * len(signals)} are stated")
    samples = values[: count * len(signals)].reshape(count, len(signals))
    for column, signal in zip(samples.T, signals, strict=True):
        if signal.checksum is not None and (int(column.sum()) - signal.checksum) % 2**16:
            _refuse("its samples differ from their checksum")
    return samples


def _mv(column: Samples, signal: _Signal) -> NDArray[np.float64]:
    invalid = -(2**15) if signal.format == "16" else -(2**11)
    values = np.where(column == invalid, np.nan, column - signal.baseline) * signal.mv_per_unit
    return -values if signal.named and signal.named.negated else values


def _of_16(content: bytes) -> Samples:
    return np.frombuffer(content, "<i2", len(content) // 2).astype(np.int64)


def _of_212(content: bytes) -> Samples:
    """Two samples of 12 bits in three bytes: the middle one holds the high bits of both."""
    padded = content + bytes(-len(content) % 3)
    low, middle, high = np.frombuffer(padded, np.uint8).reshape(-1, 3).T.astype(np.int64)
    values = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8], axis=1).ravel()
    whole = values[: len(content) * 2 // 3]
    return np.where(whole >= 2**11, whole - 2**12, whole)


_READERS: dict[str, Callable[[bytes], Samples]] = {"16": _of_16, "212": _of_212}


def _refuse(why: str) -> NoReturn:
    raise InstanceUnreadableError(f"the WFDB record cannot be read: {why}")
