"""What is measured: osmo, and the tools that people put into a loop instead of it."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.servers import S3Server

TOP = Path(__file__).parents[1]
PEERS = TOP / ".bench" / "bin"
OSMO = Path(sys.executable).with_name("osmo")


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool that copies a folder once. `args` may have {endpoint}, {folder} and {to}, which is `bucket/prefix`."""

    name: str
    program: str
    args: Sequence[str]
    version: Sequence[str]

    def command(self, server: S3Server, folder: Path, to: str) -> list[str]:
        filled = [each.format(endpoint=server.endpoint, folder=folder, to=to) for each in self.args]
        return [str(PEERS / self.program), *filled]

    def asked_version(self) -> str:
        return _version([str(PEERS / self.program), *self.version])


ALL_PEERS = (
    Peer("s5cmd sync", "s5cmd", ("--endpoint-url", "{endpoint}", "sync", "{folder}/", "s3://{to}/"), ("version",)),
    Peer(
        "rclone copy",
        "rclone",
        ("copy", "{folder}", ":s3,provider=Rclone,env_auth=true,endpoint='{endpoint}':{to}"),
        ("version",),
    ),
    Peer("aws s3 sync", "aws", ("s3", "sync", "--no-progress", "{folder}", "s3://{to}"), ("--version",)),
)


def environment(home: Path, server: S3Server) -> dict[str, str]:
    """For every tool the same: the server's address and keys, and nothing of the person at the keyboard."""
    return {
        "PATH": f"{OSMO.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "OSMO_HOME": str(home / "osmo"),
        "OSMO_SPOT": "off",
        "RCLONE_CONFIG": os.devnull,
        **server.environ,
    }


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
