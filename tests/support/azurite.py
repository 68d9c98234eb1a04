"""Azurite, Microsoft's own stand-in for Azure Blob Storage, started and ended by the tests."""

import base64
import contextlib
import hashlib
import hmac
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.request import Request, urlopen

from support.needs import missing, need_program
from support.servers import NO_METADATA, answers, free_port

# The one account that it knows, with the key that everybody knows.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_PROGRAM = Path(__file__).parents[2] / ".azurite/node_modules/azurite/dist/src/blob/main.js"
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Azurite:
    """A server that runs at `endpoint`, the account's name in it."""

    endpoint: str

    @property
    def connection(self) -> str:
        return f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.endpoint};"

    @property
    def environ(self) -> Mapping[str, str]:
        return {**NO_METADATA, "AZURE_STORAGE_CONNECTION_STRING": self.connection}

    def url(self, container: str) -> str:
        return f"azure://{ACCOUNT}/{container}"

    def make_container(self, name: str) -> None:
        date = formatdate(usegmt=True)
        named = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        signed = f"PUT{chr(10) * 12}{named}"
        digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": "2021-08-06",
            "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        }
        with urlopen(Request(f"{self.endpoint}/{name}?restype=container", method="PUT", headers=headers)):
            pass


@contextlib.contextmanager
def azurite(directory: Path, containers: tuple[str, ...] = ()) -> Iterator[Azurite]:
    """A server that keeps all in memory. Its signatures are checked."""
    need_program("node")
    if not _PROGRAM.exists():
        missing("Azurite is not installed (scripts/packages does it)")
    port = free_port()
    options = ["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command = [
        shutil.which("node") or "node",
        str(_PROGRAM),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        *options,
    ]
    with (directory / "azurite.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=directory)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not answers(port):
            assert process.poll() is None, (directory / "azurite.log").read_text()
            assert time.monotonic() < deadline, "Azurite does not answer"
            time.sleep(0.05)
        server = Azurite(f"http://127.0.0.1:{port}/{ACCOUNT}")
        for name in containers:
            server.make_container(name)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
