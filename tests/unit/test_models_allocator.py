"""Freed memory is kept: a large block is reused instead of asked of the kernel again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import threading

from inference.models.allocator import keep_freed_memory

BLOCK_BYTES = 48 << 20


def faults_of_a_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(b"1") * BLOCK_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def show():
    faults_of_a_block()
    print(faults_of_a_block())


show()
assert keep_freed_memory()
thread = threading.Thread(target=show)
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_a_large_block_costs_no_page_faults_the_second_time() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    before, after = map(int, run.stdout.split())
    assert before > 1000
    assert after < 100
