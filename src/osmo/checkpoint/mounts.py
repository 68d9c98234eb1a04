"""Which kind of filesystem a file is on."""

import os
from functools import lru_cache

_MOUNTS = "/proc/self/mountinfo"  # Linux
_NETWORK = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb3",
        "smbfs",
    )
)


def on_the_network(device: int) -> bool:
    """Whether other machines can write to the filesystem of this number (`st_dev`). False if nobody can say."""
    return _kind(device) in _NETWORK


@lru_cache(maxsize=256)
def _kind(device: int) -> str:
    """`ext4`, `nfs4` …; empty if the kernel does not tell, as for subvolumes of btrfs. Asked once per filesystem."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            return kinds(file.read()).get(device, "")
    except OSError:
        return ""


def kinds(mountinfo: str) -> dict[int, str]:
    """Device number to kind of filesystem, from the text of /proc/PID/mountinfo (proc(5))."""
    found = {}
    for line in mountinfo.splitlines():
        mount, _, filesystem = line.partition(" - ")
        major, _, minor = mount.split()[2].partition(":")
        found[os.makedev(int(major), int(minor))] = filesystem.split()[0]
    return found
