"""Tasks of one workflow that write to the same place."""

import json
from pathlib import Path

from support.cli import Osmo
from support.stored import Stored

WRITE = "mkdir -p {0}/ck; echo {0} > {0}/ck/same; echo {0} > {0}/ck/{0}"


def test_ranks_that_share_a_folder_keep_their_checkpoints_whole(osmo: Osmo, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    entry = {"url": url, "frequency": "1h"}
    tasks = [
        {"name": rank, "command": ["sh", "-c", WRITE.format(rank)], "checkpoint": [entry | {"path": f"{rank}/ck"}]}
        for rank in ("one", "two")
    ]
    spec = osmo.spec(json.dumps({"workflow": {"name": "ranks", "tasks": tasks}}))
    run = osmo.submit(spec)
    assert osmo.wait(run).returncode == 0
    assert Stored(tmp_path / "store").files() == {"ck/same", "ck/one", "ck/two"}  # one of them has the plain file
    for rank in ("one", "two"):
        assert osmo("checkpoint", "verify", url, "--deep", "--from", f"{rank}.ck").returncode == 0
        assert osmo("checkpoint", "restore", url, f"back-{rank}", "--from", f"{rank}.ck").returncode == 0
        assert (osmo.directory / f"back-{rank}/same").read_text() == f"{rank}\n"
