import os

import pytest

from osmo.checkpoint.mounts import kinds, on_the_network

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 0 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
91 27 0:52 / /data/a\040b rw,relatime shared:54 master:3 - nfs4 server:/export rw,vers=4.2
92 27 0:53 / /win rw - cifs //server/share rw
"""


def test_each_filesystem_is_known_by_its_number() -> None:
    want = {(0, 21): "proc", (259, 1): "ext4", (0, 52): "nfs4", (0, 53): "cifs"}
    assert kinds(MOUNTS) == {os.makedev(*number): kind for number, kind in want.items()}


@pytest.mark.parametrize("path", ["/proc", "/nowhere"])
def test_what_is_here_or_not_known_is_not_on_the_network(path: str) -> None:
    device = os.stat(path).st_dev if os.path.exists(path) else os.makedev(4000, 4000)
    assert not on_the_network(device)
