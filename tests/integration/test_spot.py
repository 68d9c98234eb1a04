"""Metadata servers of three clouds, on loopback, and the watch that asks them over real connections."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from osmo.agent.spot import Cloud, Notice, Reply, Watch, ask
from osmo.clock import SystemClock
from support.clock import FakeClock
from support.metadata import AT, Metadata
from support.servers import free_port, silent_server


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
    clock = FakeClock()
    assert told(f"http://127.0.0.1:{free_port()}", clock) == []
    assert clock.waits == []


def test_where_nobody_answers_it_ends_after_a_second() -> None:
    begun, clock = time.monotonic(), FakeClock()
    with silent_server() as base:
        assert told(base, clock) == []
    assert clock.waits == []
    assert time.monotonic() - begun > 0.9


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
    watch.stop()
    watch.join(4)
    assert not watch.is_alive()
