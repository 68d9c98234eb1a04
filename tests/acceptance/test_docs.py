"""What the pages tell people to paste, pasted."""

import re
import subprocess
from pathlib import Path

from support.cli import PATIENCE_S, Osmo
from support.servers import free_port

DOCS = Path(__file__).parents[2] / "docs"


def test_an_s3_server_to_try_it_is_there_when_the_recipe_is_pasted(osmo: Osmo, tmp_path: Path) -> None:
    page = (DOCS / "stores.md").read_text()
    found = re.search(r"### An S3 server to try it\n.*?```sh\n(.*?)```", page, re.DOTALL)
    assert found
    port = free_port()
    script = found[1].replace("9000", str(port)).replace("/tmp/s3", str(tmp_path / "s3"))
    listens = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done"
    script = f"set -eu\ntrap 'kill $!' EXIT\n{script.replace('sleep 2', listens)}"
    with (tmp_path / "said").open("w+") as said:  # no pipe: the server would hold it open
        result = subprocess.run(
            ["bash", "-c", script],
            stdout=said,
            stderr=said,
            cwd=osmo.directory,
            env=osmo.environ,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        said.seek(0)
        assert result.returncode == 0, said.read()
    assert (osmo.directory / "back/now").read_text() == (osmo.directory / "out/now").read_text()
    assert (tmp_path / "s3/my-bucket/try/out/now").exists()
