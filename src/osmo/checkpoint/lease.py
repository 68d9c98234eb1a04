"""Whether somebody has a file open for writing: the one thing that a stat does not tell."""

import errno
import fcntl
import os

from osmo.checkpoint.mounts import on_the_network

_SET_LEASE = getattr(fcntl, "F_SETLEASE", None)  # Linux


def open_for_writing(descriptor: int) -> bool:
    """Whether any process can write to the file, through a descriptor or a shared memory map.

    descriptor: open for reading only. The kernel gives a read lease only if nobody can (fcntl(2)); it is given back at
    once, or the next writer would have to wait for us. The process must ignore SIGIO: a writer that comes just then
    sends it. False where nobody can say: another user's file, a filesystem without leases, macOS. On a network
    filesystem, too: there the kernel refuses a lease with the same word if only the server did not delegate the file
    (NFSv4, SMB), and a writer on another machine goes unseen anyway.
    """
    if _SET_LEASE is None:
        return False
    try:
        fcntl.fcntl(descriptor, _SET_LEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN and not on_the_network(os.fstat(descriptor).st_dev)
    fcntl.fcntl(descriptor, _SET_LEASE, fcntl.F_UNLCK)
    return False
