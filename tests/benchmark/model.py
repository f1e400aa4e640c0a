"""How fast the encoders run, beside plain PyTorch and the floor of a matrix product.

    python -m tests.benchmark.model [--quick]

Writes `model.json`, `model.png` and the section "Model" of the README beside this file; `--quick`
runs once and writes nothing here.
"""

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from inference.models.encoder import ARCHITECTURES
from inference.models.engine import FrameEncoder, choose_precision
from tests.benchmark import measuring
from tests.benchmark.measuring import Figure

HERE = Path(__file__).resolve().parent
SUBJECT = "echonode, auto"
FRAMES = 20
_GEMM_SIDE = 2048
CPU = torch.device("cpu")


def rate(encode: Callable[[Tensor], Tensor], frames: Tensor, repeats: int) -> float:
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


def measure(architecture: str, rounds: int, repeats: int) -> tuple[list[Figure], float]:
    """Every way to run an encoder, and how far ours is from plain float32 (relative L2)."""
    torch.manual_seed(0)
    chosen = ARCHITECTURES[architecture]
    plain = chosen.build().eval().requires_grad_(requires_grad=False)
    frames = torch.rand(FRAMES, 1, chosen.frame_size_px, chosen.frame_size_px)
    with FlopCounterMode(display=False) as counter:
        expected = plain(frames)
    flop_per_frame = counter.get_total_flops() / FRAMES
    channels_last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    ours = FrameEncoder(plain, CPU, choose_precision("auto", CPU))
    folded = FrameEncoder(plain, CPU, "fp32")

    def timed(encode: Callable[[Tensor], Tensor]) -> Callable[[], float]:
        return lambda: rate(encode, frames, repeats)

    figures = measuring.interleave(
        f"{architecture}, {chosen.frame_size_px} x {chosen.frame_size_px}, {FRAMES} frames",
        "frames/s",
        rounds,
        {
            SUBJECT: timed(ours),
            "echonode, fp32": timed(folded),
            "eager fp32": timed(plain),
            "channels-last fp32": timed(
                lambda x: channels_last(x.contiguous(memory_format=torch.channels_last))
            ),
            "GEMM, fp32": lambda: gemm_rate(torch.float32, flop_per_frame),
            "GEMM, bf16": lambda: gemm_rate(torch.bfloat16, flop_per_frame),
        },
    )
    return figures, float((ours(frames) - expected).norm() / expected.norm())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="once")
    quick = parser.parse_args().quick
    where = measuring.machine()
    figures: list[Figure] = []
    tables: list[str] = []
    with torch.inference_mode():
        for architecture, repeats in (("resnet50", 1), ("resnet10_narrow", 20)):
            taken, distance = measure(architecture, 1 if quick else 3, repeats)
            figures += taken
            tables.append(
                f"{measuring.table(taken, SUBJECT)}\n\nDistance to eager fp32 (relative L2 of the "
                f"features): {distance:.1e}."
            )
            print(tables[-1])  # noqa: T201 - a command
    if not quick:
        machine = "; ".join(f"{name}: {value}" for name, value in where.items())
        chosen = choose_precision("auto", CPU)
        text = (
            '## Model\n\n`python -m tests.benchmark.model`. "auto" is '
            f"{chosen} here: batch normalisation folded into the convolutions, channels-last, ten "
            "frames a call. The rows GEMM are floors: the rate if every operation ran as fast as "
            "in a product of two 2048 x 2048 matrices. On a GPU: not measured.\n\n"
            f"Measured: {machine}.\n\n" + "\n\n".join(tables) + "\n\n![medians](model.png)"
        )
        measuring.write_json(HERE / "model.json", where, figures)
        measuring.plot(HERE / "model.png", "Model", figures)
        measuring.write_section(HERE / "README.md", "model", text)


if __name__ == "__main__":
    main()
