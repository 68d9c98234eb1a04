"""The machine's memory belongs to the task: what is read once, to be stored, does not take the place of what it uses.

What was in memory before stays: as a rule the task has just written it, or reads it again and again, and to throw that
out would slow it down.
"""

import os
from contextlib import suppress

_LEAST = 32 * 1024 * 1024
"""A smaller file pushes nothing out that matters, and the kernel may read half of it ahead of us."""


def is_cold(descriptor: int, size: int) -> bool:
    """Whether a file that nobody has begun to read has to come from the disk, so far as one can ask: of a byte in its
    middle and of its last. Its beginning says little; a program may have looked there what it is."""
    return size >= _LEAST and not _in_memory(descriptor, size - 1) and not _in_memory(descriptor, size // 2)


def drop(descriptor: int, start: int, length: int) -> None:
    """They are not needed any more. What is not on the disk yet stays, and what anybody has mapped
    (posix_fadvise(2))."""
    with suppress(OSError):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def _in_memory(descriptor: int, at: int) -> bool:
    if not hasattr(os, "RWF_NOWAIT"):  # macOS
        return True
    try:
        os.preadv(descriptor, [bytearray(1)], at, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:  # not every file system can say
        return True
    return True
