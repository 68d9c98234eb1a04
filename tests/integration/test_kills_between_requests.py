"""Whatever saves a folder is killed, between any two requests: a restore gives one committed generation, never an older
one than was reported.

The short form is a few lives at each store. The long one says what it did, and how to play one stream again:
`OSMO_RIG_KILLS=2000 OSMO_RIG_SEED=1 scripts/test --long -s tests/integration/test_kills_between_requests.py`.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.lives import Lives, Nursery, nursery
from support.proxy import FaultProxy
from support.servers import NO_METADATA, S3Server, moto_s3, rclone_s3

KINDS = ("file", "moto", "rclone", "moto, troubled", "rclone, troubled")
LIVES_OF_A_STREAM = 10

pytestmark = pytest.mark.timeout(300)


@dataclass
class Places:
    """Where streams can be kept. moto's server honours create-only, rclone's does not."""

    directory: Path
    servers: dict[str, S3Server]
    proxies: dict[str, FaultProxy]
    nursery: Nursery

    def lives(self, kind: str, seed: int, *, large: bool = False) -> Lives:
        """A new stream, and nobody at it yet."""
        name = f"stream-{seed}-{len(list(self.directory.iterdir()))}"
        server, _, trouble = kind.partition(", ")
        if server == "file":
            (self.directory / name).mkdir()
            url = f"file://{self.directory / name}/store"
            return Lives(self.nursery, self.directory / name, url, NO_METADATA, seed)
        environ = self.servers[server].environ
        return Lives(
            self.nursery,
            self.directory / name,
            f"s3://saved/{name}",
            environ,
            seed,
            self.proxies[server],
            troubled=bool(trouble),
            large=large,
        )


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    directory = tmp_path_factory.mktemp("streams")
    with ExitStack() as stack:
        rclone = stack.enter_context(rclone_s3(tmp_path_factory.mktemp("rclone") / "data", buckets=("saved",)))
        moto = stack.enter_context(moto_s3(("saved",)))
        servers = {"rclone": rclone, "moto": moto}
        proxies = {name: stack.enter_context(FaultProxy(server.endpoint)) for name, server in servers.items()}
        yield Places(directory, servers, proxies, stack.enter_context(nursery()))


def play(places: Places, kind: str, seed: int, lives: int) -> Counter[str]:
    """So many lives of one stream. How they ended."""
    made = places.lives(kind, seed)
    for _ in range(lives):
        made.next()
    made.clear()
    return made.played.kills


def test_a_restore_after_a_kill_between_any_two_requests_gives_one_committed_generation(places: Places) -> None:
    """Claim, uploads, records, plain files, tidying, close: each time it comes one request further."""
    killed = True
    number = 0
    while killed:
        number += 1
        made = places.lives("file", number)
        made.undisturbed()
        killed = made.killed_before(number)
        made.clear()
    assert number > 30


@pytest.mark.parametrize("kind", KINDS)
def test_a_restore_after_a_kill_gives_one_committed_generation(places: Places, kind: str) -> None:
    assert play(places, kind, 1, 6).total() == 6


def test_a_large_file_of_which_only_what_changed_is_sent_is_whole_after_kills(places: Places) -> None:
    """So many lives that the server copied a part in one of them: when each is killed is a matter of luck."""
    proxy = places.proxies["moto"]
    made = places.lives("moto, troubled", 1, large=True)
    begin = len(proxy.exchanges)
    for number in range(60):
        made.next()
        parts = [each for each in proxy.exchanges[begin:] if "partNumber=" in each.path]
        if number >= 4 and any(each.status == 200 and each.up < 10_000 for each in parts):
            break
    else:
        raise AssertionError("the server never copied a part")
    made.clear()


@pytest.mark.long
@pytest.mark.timeout(36000)
def test_restores_after_many_kills_give_one_committed_generation(places: Places) -> None:
    seed, wanted = int(os.environ.get("OSMO_RIG_SEED", "1")), int(os.environ.get("OSMO_RIG_KILLS", "200"))
    only = os.environ.get("OSMO_RIG_STREAM", "")  # "KIND:SEED" of one stream, to see it again
    chance = random.Random(seed)
    began, ends, streams = time.monotonic(), Counter[str](), 0
    while sum(ends.values()) - ends["none"] < wanted:
        streams += 1
        kind, own_seed = chance.choice(KINDS), chance.randrange(2**32)
        if only:
            kind, own_seed = only.split(":")[0], int(only.split(":")[1])
        print(f"seed {seed}, stream {streams}: OSMO_RIG_STREAM='{kind}:{own_seed}'", flush=True)
        ends += play(places, kind, own_seed, LIVES_OF_A_STREAM)
        print(f"  {dict(ends)}", flush=True)
    print(f"{sum(ends.values()) - ends['none']} kills in {time.monotonic() - began:.0f} s: {dict(ends)}", flush=True)
