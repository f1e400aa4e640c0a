"""The C library's allocator, told to keep what is freed.

By itself glibc gives every large block back to the kernel, which hands out and clears its pages
anew for each layer of the network: up to a sixth of its time (`python -m tests.benchmark.model`).
"""

import ctypes

# mallopt(3), from glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_BLOCK_BYTES = 1 << 30
_FREE_BYTES = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Have this process reuse freed blocks of up to 1 GiB; whether the C library can do so.

    Call it before threads start: a second arena could not hold a large block. The process then
    stays as large as it once had to be.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc alone
    if mallopt is None:
        return False
    return all(
        mallopt(option, value) == 1
        for option, value in (
            (_M_ARENA_MAX, 1),
            (_M_MMAP_THRESHOLD, _BLOCK_BYTES),
            (_M_TRIM_THRESHOLD, _FREE_BYTES),
        )
    )
