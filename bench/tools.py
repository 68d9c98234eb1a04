"""What is measured: osmo, and the tools that people put into a loop instead of it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.servers import NO_METADATA, REGION, S3Server

TOP = Path(__file__).parents[1]
PEERS = TOP / ".bench" / "bin"
OSMO = Path(sys.executable).with_name("osmo")

_RCLONE = ":s3,provider=Rclone,env_auth=true,endpoint='{endpoint}':{to}"
_RESTIC = ("-q", "-r", "s3:{endpoint}/{to}", "--no-cache")
_PACKAGE = "from importlib.metadata import version; print(version('{}'))"
_TRANSFER = str(Path(__file__).with_name("transfer.py"))


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool that copies a folder once.

    args: into the store, without what it finds there already; `cold`, if given, is what does that soonest when nothing
    is there. fetch: back. first: once before anything else. Arguments may have {endpoint}, {folder} and {to}, which is
    `bucket/prefix`. plain: files lie in the store as they are. updates: it can tell what is there already. note: what
    it does less, or more, than others.
    """

    name: str
    program: str
    args: Sequence[str]
    version: Sequence[str]
    cold: Sequence[str] = ()
    fetch: Sequence[str] = ()
    first: Sequence[str] = ()
    plain: bool = True
    updates: bool = True
    note: str = ""

    def command(
        self, server: S3Server, folder: Path, to: str, *, args: Sequence[str] = (), endpoint: str = ""
    ) -> list[str]:
        where = {"endpoint": endpoint or server.endpoint, "folder": folder, "to": to}
        return [str(self.path), *(each.format(**where) for each in args or self.args)]

    @property
    def path(self) -> Path:
        return OSMO if self.program == "osmo" else PEERS / self.program

    @property
    def is_here(self) -> bool:
        return self.path.exists()

    def asked_version(self) -> str:
        """What it says of itself; a package of Python is asked for its own."""
        program = PEERS / "python" if self.version[0] == "-c" else self.path
        return _version([str(program), *self.version])


_S5CMD = ("--endpoint-url", "{endpoint}")
_SYNC = "compares sizes and times with a listing; no digests, no commit"

THE_OSMO = Peer(
    "osmo",
    "osmo",
    ("checkpoint", "run", "--quiet", "--path", "{folder}/*", "--url", "s3://{to}", "--frequency", "1h", "--", "true"),
    ("version",),
    fetch=("checkpoint", "restore", "s3://{to}", "{folder}"),
    note="digests of all content, one commit for all files; a restore verifies every byte",
)

ALL_PEERS = (
    Peer(
        "s5cmd sync",
        "s5cmd",
        (*_S5CMD, "sync", "{folder}/", "s3://{to}/"),
        ("version",),
        cold=(*_S5CMD, "cp", "{folder}/", "s3://{to}/"),
        fetch=(*_S5CMD, "cp", "--exclude", "*.osmo/*", "s3://{to}/*", "{folder}/"),
        note=f"`cp` where nothing is there yet; {_SYNC}; does not verify what it fetches",
    ),
    Peer(
        "rclone copy",
        "rclone",
        ("copy", "{folder}", _RCLONE),
        ("version",),
        fetch=("copy", "--exclude", "/.osmo/**", _RCLONE, "{folder}"),
        note="compares sizes and times with a listing; checks sizes and MD5 of what it moved; no commit",
    ),
    Peer(
        "aws s3 sync",
        "aws",
        ("s3", "sync", "--no-progress", "--only-show-errors", "{folder}", "s3://{to}"),
        ("--version",),
        fetch=("s3", "sync", "--no-progress", "--only-show-errors", "--exclude", ".osmo/*", "s3://{to}", "{folder}"),
        note=_SYNC,
    ),
)

MORE_PEERS = (
    Peer(
        "boto3 transfer manager",
        "python",
        (_TRANSFER, "up", "{endpoint}", "{folder}", "{to}"),
        ("-c", _PACKAGE.format("boto3")),
        fetch=(_TRANSFER, "down", "{endpoint}", "{folder}", "{to}"),
        updates=False,
        note="cannot tell what is there already; no commit",
    ),
    Peer(
        "msc sync",
        "msc",
        ("sync", "{folder}", "--target-url", "msc://bench/{to}"),
        ("-c", _PACKAGE.format("multi-storage-client")),
        fetch=("sync", "msc://bench/{to}", "--target-url", "{folder}"),
        note=_SYNC,
    ),
    Peer(
        "restic",
        "restic",
        (*_RESTIC, "backup", "{folder}"),
        ("version",),
        fetch=(*_RESTIC, "restore", "latest", "--target", "{folder}"),
        first=(*_RESTIC, "init"),
        plain=False,
        note="packs, encrypted: no plain files; finds equal pieces; commits, and verifies what it restores",
    ),
)


def environment(home: Path, server: S3Server, endpoint: str = "") -> dict[str, str]:
    """For every tool the same: the server's address and keys, and nothing of the person at the keyboard."""
    endpoint = endpoint or server.endpoint
    return {
        "PATH": f"{OSMO.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "OSMO_HOME": str(home / "osmo"),
        "OSMO_SPOT": "off",
        "RCLONE_CONFIG": os.devnull,
        "RESTIC_PASSWORD": "bench",
        "MSC_CONFIG": str(_msc_config(home, endpoint)),
        **server.environ,
        "AWS_ENDPOINT_URL_S3": endpoint,
        **NO_METADATA,
    }


def _msc_config(home: Path, endpoint: str) -> Path:
    options = {"base_path": "", "endpoint_url": endpoint, "region_name": REGION}
    profile = {"storage_provider": {"type": "s3", "options": options}}
    path = home / f"msc-{endpoint.rpartition(':')[2]}.json"
    if not path.exists():
        path.write_text(json.dumps({"profiles": {"bench": profile}}))
    return path


def osmo_version() -> str:
    return _version([str(OSMO), "version"])


def machine() -> str:
    """Cores, processor, memory, kernel, Python."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    kernel = os.uname()
    return (
        f"{os.cpu_count()} cores ({model[1] if model else kernel.machine}), {memory:.0f} GiB, "
        f"{kernel.sysname} {kernel.release}, Python {sys.version.split()[0]}"
    )


def _version(command: Sequence[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout
    found = re.search(r"\d+\.\d+\S*", said)
    return found[0] if found else said.strip()
