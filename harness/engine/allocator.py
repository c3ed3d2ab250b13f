"""Keeping freed memory in the process instead of handing it back to the system after every operation."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to reuse the memory of large tensors; whether it was told (Linux with glibc only).

    By default glibc maps every large tensor afresh and unmaps it when it dies, so that a forward pays
    for a page fault every 4 KiB of every intermediate result: a fifth of the time of DeiT-T in full
    precision at batch 16, a third with quantizers, which make one result more for each operand.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, 2**30) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
