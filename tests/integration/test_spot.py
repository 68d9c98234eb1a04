"""Metadata servers of three clouds, on loopback, and the watch that asks them over real connections."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from osmo.agent.spot import Cloud, Notice, Reply, Watch, ask
from osmo.clock import SystemClock
from support.clock import FakeClock
from support.servers import free_port, silent_server

AT = datetime(2026, 9, 18, 8, 22, tzinfo=UTC)


class Metadata(ThreadingHTTPServer):
    """One address that is AWS's, Google's or Azure's, or all of them. What it says can be changed while it runs."""

    daemon_threads = True

    def __init__(self, *clouds: Cloud, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.clouds = clouds
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.doomed = False
        self.flows = threading.Event()
        self.flows.set()
        self.tokens = 0
        self.requests: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def expire(self) -> None:
        """Every token given so far."""
        self.tokens += 1

    def says(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        match path.split("/")[1]:
            case "latest" if Cloud.AWS in self.clouds:
                return self._aws(method, path, headers)
            case "computeMetadata" if Cloud.GCP in self.clouds and headers.get("metadata-flavor") == "Google":
                return 200, "TRUE" if self.doomed else "FALSE"
            case "metadata" if Cloud.AZURE in self.clouds and headers.get("metadata") == "true":
                return 200, json.dumps(self._azure(path))
        return 404, "no such thing"

    def _aws(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        if path == "/latest/api/token" and method == "PUT" and headers.get("x-aws-ec2-metadata-token-ttl-seconds"):
            return 200, f"token-{self.tokens}=="
        if headers.get("x-aws-ec2-metadata-token") != f"token-{self.tokens}==":
            return 401, ""
        if path == "/latest/meta-data/spot/instance-action" and self.doomed:
            return 200, json.dumps({"action": "terminate", "time": "2026-09-18T08:22:00Z"})
        return 404, ""

    def _azure(self, path: str) -> dict:
        if path.startswith("/metadata/instance/compute?"):
            return {"name": "train_0", "vmId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6"}
        events = {"EventType": "Preempt", "Resources": ["train_0"], "NotBefore": "Fri, 18 Sep 2026 08:22:00 GMT"}
        return {"DocumentIncarnation": 1, "Events": [events] if self.doomed else []}


class Handler(BaseHTTPRequestHandler):
    server: Metadata

    def do_GET(self) -> None:
        self.server.flows.wait()
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, body = self.server.says(self.command, self.path, headers)
        self.server.requests.append((f"{self.command} {self.path}", status))
        self.send_response(status)
        if Cloud.GCP in self.server.clouds:
            self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_GET  # noqa: N815  # the standard library's name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=list(Cloud), ids=lambda cloud: cloud.value)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    found: Cloud = request.param
    return found


@pytest.fixture
def server(cloud: Cloud) -> Iterator[Metadata]:
    server = Metadata(cloud)
    yield server
    server.stop()


@pytest.fixture
def amazon() -> Iterator[Metadata]:
    server = Metadata(Cloud.AWS)
    yield server
    server.stop()


WANT = {
    Cloud.AWS: Notice(Cloud.AWS, "terminate", AT),
    Cloud.GCP: Notice(Cloud.GCP, "preempt", None),
    Cloud.AZURE: Notice(Cloud.AZURE, "preempt", AT),
}


class Rounds(FakeClock):
    """Does the next thing of a list in each wait; when all is done the watch is stopped."""

    def __init__(self, *steps: object) -> None:
        super().__init__()
        self.steps = list(steps)
        self.watch: Watch | None = None
        self.meanwhile = self._step

    def _step(self) -> None:
        step = self.steps.pop(0) if self.steps else self.watch and self.watch.stop
        if callable(step):
            step()


def told(base: str, clock: FakeClock, timeout_s: float = 5.0) -> list[Notice]:
    """What a watch of all three clouds at one address tells, once it has ended."""

    def hurried(*asked: Any, **how: Any) -> Reply | None:
        return ask(*asked, **{**how, "timeout_s": min(timeout_s, how.get("timeout_s", 5.0))})

    notices: list[Notice] = []
    watch = Watch(notices.append, clock, bases=dict.fromkeys(Cloud, base), ask=hurried)
    if isinstance(clock, Rounds):
        clock.watch = watch
    watch.start()
    watch.join(20)
    assert not watch.is_alive()
    return notices


def doom(server: Metadata) -> None:
    server.doomed = True


def test_a_notice_comes_after_a_while(server: Metadata, cloud: Cloud) -> None:
    assert told(server.base, Rounds(None, None, lambda: doom(server))) == [WANT[cloud]]


def test_only_the_cloud_that_answered_as_itself_is_asked_again(server: Metadata, cloud: Cloud) -> None:
    assert told(server.base, Rounds(None, server.requests.clear, None)) == []
    (only,) = set(server.requests)
    prefix = {Cloud.AWS: "GET /latest/", Cloud.GCP: "GET /computeMetadata/", Cloud.AZURE: "GET /metadata/scheduled"}
    assert only[0].startswith(prefix[cloud])


def test_a_machine_that_stays_hears_nothing(server: Metadata) -> None:
    clock = Rounds(*[None] * 5)
    assert told(server.base, clock) == []
    assert clock.waits == [5.0] * 6


def test_an_expired_token_is_renewed(amazon: Metadata) -> None:
    def expire_and_doom() -> None:
        amazon.expire()
        amazon.doomed = True

    assert told(amazon.base, Rounds(None, amazon.requests.clear, expire_and_doom)) == [WANT[Cloud.AWS]]
    action = "GET /latest/meta-data/spot/instance-action"
    want = [(action, 404), (action, 401), ("PUT /latest/api/token", 200), (action, 200)]
    assert amazon.requests == want


def test_a_server_that_goes_away_and_comes_back_is_asked_on(cloud: Cloud) -> None:
    port = free_port()
    servers = [Metadata(cloud, port=port)]

    def come_back() -> None:
        servers.append(Metadata(cloud, port=port))
        servers[-1].expire()
        servers[-1].doomed = True

    try:
        assert told(servers[0].base, Rounds(None, servers[0].stop, None, come_back)) == [WANT[cloud]]
    finally:
        servers[-1].stop()


def test_a_server_that_hangs_later_is_asked_on(server: Metadata, cloud: Cloud) -> None:
    def recover() -> None:
        server.flows.set()
        server.doomed = True

    begun = time.monotonic()
    assert told(server.base, Rounds(server.flows.clear, recover), timeout_s=0.2) == [WANT[cloud]]
    assert time.monotonic() - begun > 0.2


def test_where_nobody_listens_it_ends_at_once() -> None:
    begun, clock = time.monotonic(), FakeClock()
    assert told(f"http://127.0.0.1:{free_port()}", clock) == []
    assert clock.waits == []
    assert time.monotonic() - begun < 0.9


def test_where_nobody_answers_it_ends_after_a_second() -> None:
    begun, clock = time.monotonic(), FakeClock()
    with silent_server() as base:
        assert told(base, clock) == []
    assert clock.waits == []
    assert 0.9 < time.monotonic() - begun < 2.5


@pytest.mark.parametrize("base", ["", "nonsense", "http://127.0.0.1:port", "http://[::"])
def test_an_address_that_is_none_ends_it(base: str) -> None:
    assert told(base, FakeClock()) == []


def test_no_proxy_is_asked(server: Metadata, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert told(server.base, Rounds(None, lambda: doom(server))) == [WANT[cloud]]


def test_a_stop_is_heeded_within_the_five_seconds(server: Metadata) -> None:
    watch = Watch(lambda _: None, SystemClock(), bases=dict.fromkeys(Cloud, server.base))
    watch.start()
    while len(server.requests) < 5:
        time.sleep(0.01)
    begun = time.monotonic()
    watch.stop()
    watch.join(5)
    assert time.monotonic() - begun < 0.9
