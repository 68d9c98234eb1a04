"""Trouble with a store, through a real proxy: the command is never disturbed, and the store equals the disk in the end.

All runs suffer at the same time, each behind a proxy of its own; then each has its tests. Short: 30 s of trouble.
Long: five minutes (`scripts/test --long tests/integration/test_store_faults.py`).
"""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from osmo.errors import StoreError, Unavailable
from osmo.store.open import open_store
from support.cli import Osmo, osmo_in, until
from support.faults import ERROR, HANG, SLOW_DOWN, Fault
from support.kills import RECOVERY_S, Rig
from support.proxy import FaultProxy
from support.servers import S3Server, rclone_s3
from support.stored import Stored

MIB = 1 << 20
FAULTS = {
    "500": ERROR,
    "503": SLOW_DOWN,
    "reset": Fault(reset_up_at=2000),
    "hang": HANG,
    "truncated": Fault(truncate_at=40),
    "late": Fault(latency_s=5),
    "narrow": Fault(up=100_000, down=100_000),
    "dead": None,  # nobody listens
}
FAILING = [name for name in FAULTS if name not in ("late", "narrow", "hang")]


@dataclass
class Play:
    """What became of one run. trouble_s: how long it was in trouble."""

    rig: Rig
    proxy: FaultProxy
    trouble_s: float

    @property
    def log(self) -> list[str]:
        return self.rig.osmo.log(self.rig.run.id)


def play(
    osmo: Osmo, server: S3Server, name: str, fault: Fault | None, trouble_s: float, found: dict[str, Play]
) -> None:
    """One run with its trouble. What became of it goes into `found`; nothing does if it did not end well."""
    server.make_bucket(f"bucket-{name}")
    stored = Stored(server.directory / f"bucket-{name}")
    proxy = FaultProxy(server.endpoint)
    rig = Rig(osmo, f"s3://bucket-{name}", stored, 1, f"in-{name}", constant=True)
    try:
        proxy.start()
        rig.submit("--no-check", AWS_ENDPOINT_URL_S3=proxy.endpoint)
        until(lambda: rig.checkpoint > 0, "a first checkpoint", RECOVERY_S)
        if fault is None:
            proxy.stop()
        else:
            proxy.fault(fault)
        time.sleep(trouble_s)
        rig.look()
        assert rig.processes.commands()
        if fault is None:
            proxy.start()
        else:
            proxy.clear()
        before = rig.checkpoint
        until(lambda: rig.checkpoint > before + 1, f"checkpoints after {name}", RECOVERY_S)
        rig.stop()
        rig.check_the_end()
        found[name] = Play(rig, proxy, trouble_s)
    finally:
        rig.processes.kill_all()
        proxy.close()


@pytest.fixture(
    scope="module",
    params=[pytest.param(30.0, id="30s"), pytest.param(300.0, id="5min", marks=[pytest.mark.long])],
)
def plays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Play]]:
    """All the runs, when they are over."""
    found: dict[str, Play] = {}
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("faults")
        server = stack.enter_context(rclone_s3(directory / "server" / "data"))
        osmo = stack.enter_context(osmo_in(directory, server.environ))
        threads = [
            threading.Thread(target=play, args=(osmo, server, name, fault, request.param, found), name=name)
            for name, fault in FAULTS.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield found


pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default::pytest.PytestUnhandledThreadExceptionWarning"),  # the tests of that run tell
]


@pytest.mark.xdist_group("plays")
@pytest.mark.parametrize("fault", list(FAULTS))
class TestInTrouble:
    def test_the_store_equals_the_disk_in_the_end_and_the_exit_code_is_the_command_s(
        self, plays: dict[str, Play], fault: str
    ) -> None:
        assert fault in plays  # it was looked at there, when the run was over

    def test_the_command_is_not_disturbed(self, plays: dict[str, Play], fault: str) -> None:
        """Its own clock: it ticks more often than it could if it waited for the store each time."""
        ticks = [float(line.split()[-1]) for line in plays[fault].log if " tick " in line]
        lasted = ticks[-1] - ticks[0]
        assert lasted > plays[fault].trouble_s
        assert len(ticks) > 2 * lasted / 5  # a late answer takes 5 s, a pause before another try as long

    def test_what_does_not_change_is_sent_once(self, plays: dict[str, Play], fault: str) -> None:
        sent = [each for each in plays[fault].proxy.exchanges if each.method == "PUT" and "/constant" in each.path]
        assert [each.status for each in sent] == [200]


@pytest.mark.xdist_group("plays")
@pytest.mark.parametrize("fault", FAILING)
class TestWhatIsSaid:
    def test_each_failed_cycle_has_one_line_that_says_what_comes_next(self, plays: dict[str, Play], fault: str) -> None:
        lines = [line for line in plays[fault].log if "Checkpointing data from" in line and " failed: " in line]
        assert lines
        for line in lines:
            assert re.search(r"s3://bucket-\w+.* Next try in [\d.]+ s; the task is not disturbed$", line), line

    def test_uploaded_is_said_only_of_what_is(self, plays: dict[str, Play], fault: str) -> None:
        said = sum("Data has been uploaded" in line for line in plays[fault].log)
        assert said <= plays[fault].rig.checkpoint


@pytest.fixture
def way(s3: S3Server, between: FaultProxy) -> FaultProxy:
    if not (s3.directory / "retries").exists():
        s3.make_bucket("retries")
    return between


@pytest.mark.parametrize("fault", [ERROR, SLOW_DOWN, Fault(answer=500), Fault(reset_up_at=10)], ids=str)
@pytest.mark.parametrize("method", ["put", "put_new", "delete"])
def test_a_request_that_writes_is_made_once(s3: S3Server, way: FaultProxy, method: str, fault: Fault) -> None:
    store = open_store("s3://retries", s3.environ | {"AWS_ENDPOINT_URL_S3": way.endpoint})
    with way.fault(fault), pytest.raises(StoreError):
        getattr(store, method)("key", *([b"body" * 100] if method != "delete" else []))
    assert len(way.exchanges) == 1


def test_only_parts_nobody_sees_yet_are_repeated_by_obstore(s3: S3Server, way: FaultProxy) -> None:
    """A part is invisible until Complete: the same bytes again under its number change nothing."""
    store = open_store("s3://retries", s3.environ | {"AWS_ENDPOINT_URL_S3": way.endpoint})
    way.fault(ERROR, method="PUT", path="partNumber=1&", times=1)
    parts = [os.urandom(5 * MIB), b"end"]
    store.put_parts("large", iter(parts), part_size=5 * MIB, concurrency=1)
    assert (s3.directory / "retries" / "large").read_bytes() == b"".join(parts)
    assert sum(each.status == 500 for each in way.exchanges) == 1


def test_a_complete_that_fails_shows_nothing(s3: S3Server, way: FaultProxy) -> None:
    """obstore repeats it, as it does the parts: it works once for an upload, however often it is asked."""
    store = open_store("s3://retries", s3.environ | {"AWS_ENDPOINT_URL_S3": way.endpoint})
    complete = way.fault(ERROR, method="POST", path="uploadId=")
    with pytest.raises(Unavailable):
        store.put_parts("never", iter([b"x" * 5 * MIB, b"end"]), part_size=5 * MIB, concurrency=1)
    assert complete.hits == 4
    assert not (s3.directory / "retries" / "never").exists()
