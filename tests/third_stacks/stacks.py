"""Senders and a receiver on stacks that nobody here wrote: DCMTK, GDCM, PixelMed, dcmjs-dimse."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import free_port, listens, process, require, wait_until

_HERE = Path(__file__).parent
_CALLED = "ECHONODE"

Send = Callable[[int, str, Sequence[Path]], None]


def dcmtk(port: int, calling: str, files: Sequence[Path]) -> None:
    """dcmsend sends each file in its own syntax."""
    options = ["-nuc", "-aet", calling, "-aec", _CALLED]
    _run([require("dcmsend"), *options, "127.0.0.1", str(port), *map(str, files)])


def gdcm(port: int, calling: str, files: Sequence[Path]) -> None:
    """gdcmscu takes one file at a time, and dies of a defect of its own once all is over."""
    options = ["--store", "--aetitle", calling, "--call", _CALLED, "127.0.0.1", str(port)]
    for file in files:
        _run([require("gdcmscu"), *options, str(file)], statuses=(0, -signal.SIGABRT))


def pixelmed(port: int, calling: str, files: Sequence[Path]) -> None:
    """PixelMed takes one file at a time."""
    jars = ":".join(str(jar) for jar in sorted(Path("/usr/share/java").glob("*.jar")))
    client = [require("java"), "-cp", jars, "com.pixelmed.network.StorageSOPClassSCU"]
    for file in files:
        _run([*client, "127.0.0.1", str(port), _CALLED, calling, str(file)])


def dcmjs(port: int, calling: str, files: Sequence[Path]) -> None:
    """dcmjs-dimse runs on Node.js; it encodes each dataset anew."""
    script = str(_dcmjs() / "send.js")
    told = _run([require("node"), script, str(port), calling, *map(str, files)])
    assert told.count("status: Success") == len(files), told


STACKS: Mapping[str, Send] = {
    "DCMTK": dcmtk,
    "GDCM": gdcm,
    "PixelMed": pixelmed,
    "dcmjs-dimse": dcmjs,
}


@contextmanager
def dcmjs_archive(folder: Path) -> Iterator[int]:
    """A receiver that writes what it gets into `folder`, for the length of a block; its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [require("node"), str(_dcmjs() / "receive.js"), str(port), str(folder)]
    with process(command, folder.with_suffix(".log")):
        wait_until(lambda: listens(port), 20, "dcmjs-dimse listens")
        yield port


def dcmjs_announces(
    port: int, calling: str, uid: str, requests: Sequence[Mapping[str, object]]
) -> list[int]:
    """N-CREATE and N-SET of one instance by dcmjs-dimse; the statuses of the answers."""
    script = str(_dcmjs() / "announce.js")
    told = _run([require("node"), script, str(port), calling, uid, json.dumps(requests)])
    statuses: list[int] = json.loads(told.splitlines()[-1])
    return statuses


def _dcmjs() -> Path:
    """The folder of our scripts, with the package in it."""
    if not (_HERE / "node_modules" / "dcmjs-dimse").exists():
        command = [require("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        made = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)
        if made.returncode and not os.environ.get("CI"):
            pytest.skip("dcmjs-dimse cannot be installed: no npm registry within reach")
        assert made.returncode == 0, made.stderr
    return _HERE


def _run(command: Sequence[str], statuses: Sequence[int] = (0,)) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in statuses, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done.stdout
