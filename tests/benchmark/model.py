"""How fast the encoder runs, against plain PyTorch, other engines and the processor's matrix rate.

    python -m tests.benchmark.model [--quick]

Writes `model.json`, `model.png` and the section "Model" of the README beside this file; `--quick`
runs once and writes nothing here. torch.compile takes part where there is a C++ compiler, OpenVINO
where it is installed (`pip install openvino`; the node does not need it).
"""

import argparse
import copy
import shutil
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from inference.models.allocator import keep_freed_memory
from inference.models.frame_encoder import FrameEncoder, choose_precision
from inference.models.registry import MULTI_VIEW
from tests.benchmark import measuring
from tests.benchmark.measuring import Figure
from tests.benchmark.model_engines import Encode, compiled, openvino, unkept

HERE = Path(__file__).resolve().parent
SUBJECT = "echonode, auto"
FRAMES = 20
_GEMM_SIDE = 2048
CPU = torch.device("cpu")

#: Seen when the engines were compared; the table below it is what was measured now.
PROFILE = """\
**Profile** (CPU seconds on one thread, ResNet50). Convolutions are nearly all of it. Two things
stood beside them. Page faults: glibc gave each layer's output back to the kernel, 72,000 faults
for 50 frames; the worker keeps what is freed and no fault is left. How much that brings depends
on who else wants the kernel: a sixth of the CPU time on a busy machine, nothing for bfloat16 on
an idle one (the rows "memory not kept"). And, in float32, the passes over memory of ReLU and
addition after each convolution, which torch.compile fuses. It is not used: it needs a C++
compiler where the node runs and up to half a minute at its first start, for a tenth of a time
that passes while the cart still sends. OpenVINO, tried once in an environment of its own, was as
fast as torch.compile: a second runtime of 180 MB whose numbers would have to be proved on every
chip."""


def rate(encode: Encode, frames: Tensor, repeats: int) -> float:
    """Frames per second; the first call, which sets things up, is not counted."""
    encode(frames)
    started_s = time.perf_counter()
    for _ in range(repeats):
        encode(frames)
    return repeats * len(frames) / (time.perf_counter() - started_s)


def gemm_rate(dtype: torch.dtype, flop_per_frame: float) -> float:
    """Frames per second if every operation ran as fast as in one large matrix product."""
    left, right = (torch.rand(_GEMM_SIDE, _GEMM_SIDE).to(dtype) for _ in range(2))
    torch.mm(left, right)
    started_s = time.perf_counter()
    for _ in range(3):
        torch.mm(left, right)
    duration_s = (time.perf_counter() - started_s) / 3
    return 2 * _GEMM_SIDE**3 / duration_s / flop_per_frame


def engines(plain: nn.Module, frames: Tensor) -> dict[str, Encode]:
    """Every way to run an encoder on this machine, ours first."""
    channels_last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    ways: dict[str, Encode] = {
        SUBJECT: FrameEncoder(plain, CPU, choose_precision("auto", CPU)),
        "echonode, bf16": FrameEncoder(plain, CPU, "bf16"),
        "echonode, fp32": FrameEncoder(plain, CPU, "fp32"),
        "eager fp32": plain,
        "channels-last fp32": lambda x: channels_last(x.to(memory_format=torch.channels_last)),
    }
    if shutil.which("c++"):
        ways["torch.compile, fp32"] = compiled(plain, "fp32")
        ways["torch.compile, bf16"] = compiled(plain, "bf16")
    if find_spec("openvino"):
        ways["OpenVINO, fp32"] = openvino(plain, "fp32", frames)
        ways["OpenVINO, bf16"] = openvino(plain, "bf16", frames)
    return ways


def measure(architecture: str, rounds: int, repeats: int) -> tuple[list[Figure], str]:
    """All engines and floors at one encoder; and, in words, how they differ and start."""
    torch.manual_seed(0)
    chosen = MULTI_VIEW[architecture]
    plain = chosen.encoder().eval().requires_grad_(requires_grad=False)
    frames = torch.rand(FRAMES, 1, chosen.frame_size_px, chosen.frame_size_px)
    with FlopCounterMode(display=False) as counter:
        expected = plain(frames)
    flop_per_frame = counter.get_total_flops() / FRAMES
    ways = engines(plain, frames)
    notes = []
    for name, encode in ways.items():
        started_s = time.perf_counter()
        distance = float((encode(frames) - expected).norm() / expected.norm())
        notes.append(f"{name} {distance:.0e} ({time.perf_counter() - started_s:.1f} s)")

    def timed(encode: Encode) -> Callable[[], float]:
        return lambda: rate(encode, frames, repeats)

    contestants: Mapping[str, Callable[[], float]] = {
        **{name: timed(encode) for name, encode in ways.items()},
        f"{SUBJECT}, memory not kept": unkept(timed(ways[SUBJECT])),
        "eager fp32, memory not kept": unkept(timed(plain)),
        "GEMM, fp32": lambda: gemm_rate(torch.float32, flop_per_frame),
        "GEMM, bf16": lambda: gemm_rate(torch.bfloat16, flop_per_frame),
    }
    workload = f"{architecture}, {chosen.frame_size_px} x {chosen.frame_size_px}, {FRAMES} frames"
    figures = measuring.interleave(workload, "frames/s", rounds, contestants)
    words = "Relative L2 distance of the features to eager fp32 (and the first call): "
    return figures, words + ", ".join(notes) + "."


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="once")
    quick = parser.parse_args().quick
    where = measuring.machine()
    keep_freed_memory()
    figures: list[Figure] = []
    tables: list[str] = []
    with torch.no_grad():
        for architecture, repeats in (("resnet50", 1), ("resnet10_narrow", 50)):
            taken, words = measure(architecture, 1 if quick else 7, repeats)
            figures += taken
            tables.append(f"{measuring.table(taken, SUBJECT)}\n\n{words}")
            print(tables[-1])  # noqa: T201 - a command
    if not quick:
        machine = "; ".join(f"{name}: {value}" for name, value in where.items())
        chosen = choose_precision("auto", CPU)
        text = (
            '## Model\n\n`python -m tests.benchmark.model`. "auto" is '
            f"{chosen} here: batch normalisation folded into the convolutions, channels-last, ten "
            "frames a call, freed memory kept (for all but the rows that say otherwise). The rows "
            "GEMM are floors: the rate if every operation ran as fast as in a product of two 2048 "
            "x 2048 matrices; a convolution by another algorithm may beat them. On a GPU: not "
            f"measured.\n\nMeasured: {machine}.\n\n"
            + "\n\n".join(tables)
            + f"\n\n{PROFILE}\n\n![medians](model.png)"
        )
        measuring.write_json(HERE / "model.json", where, figures)
        measuring.plot(HERE / "model.png", "Model", figures)
        measuring.write_section(HERE / "README.md", "model", text)


if __name__ == "__main__":
    main()
