"""OpenStack Swift with its S3 API, Debian's, in one process; started and ended by the tests."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from support.needs import missing
from support.planted import SECRET
from support.servers import S3Server, answers, free_port

NAMESPACE = "AUTH_team"
USER = "team:member"
_UNPACKED = Path(__file__).parents[2] / ".swift"
_PROGRAM = Path(__file__).with_name("swift_program.py")
_PATIENCE_S = 60.0


@contextlib.contextmanager
def swift(
    directory: Path, buckets: tuple[str, ...] = (), *, secret: str = SECRET, ahead_s: float = 0
) -> Iterator[S3Server]:
    """A server of one account and one user, who may all. Signatures are checked, `If-None-Match` is ignored. A bucket
    is one of its containers. ahead_s: of our clock is its own."""
    if not (_UNPACKED / "installed").exists():
        missing("OpenStack Swift is not there (scripts/packages unpacks Debian's)")
    port = free_port()
    own = _UNPACKED / "usr/bin/python3"
    command = [
        str(own if own.exists() else "/usr/bin/python3"),
        str(_PROGRAM),
        str(directory),
        str(port),
        USER,
        str(ahead_s),
    ]
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(directory),
        "PYTHONSAFEPATH": "1",  # what lies beside the program is not its own
        "PYTHONPATH": str(_UNPACKED / "usr/lib/python3/dist-packages"),
        "LD_LIBRARY_PATH": ":".join(str(each) for each in _UNPACKED.glob("usr/lib/*-linux-*")),
    }
    log = directory / "swift.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environ)
    assert process.stdin is not None
    with process.stdin as given:
        given.write(f"{secret}\n".encode())
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "Swift does not answer"
            time.sleep(0.05)
        server = S3Server(f"http://127.0.0.1:{port}", port, USER, secret, directory, [])
        for name in buckets:
            server.make_bucket(name)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
