"""Memory that is given back when it is free."""

import ctypes
import sys
from contextlib import suppress

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 1024 * 1024


def give_back() -> None:
    """Parts of files go back to the machine as soon as they are sent.

    glibc would else learn from the first of them to keep such sizes, and every thread would keep some for itself: three
    times what the byte budget allows (mallopt(3)). Other C libraries have no such setting and need none.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
