"""A checkpoint at each kind of store: written while a task runs, the machine lost, restored on another one."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from osmo.rundir import records
from osmo.rundir.identity import Process
from support.azurite import ACCOUNT, azurite
from support.cli import Osmo, osmo_in, until
from support.google import google
from support.planted import keep_secret
from support.servers import NO_METADATA, S3Server
from support.swift import NAMESPACE, swift


@dataclass(frozen=True)
class At:
    """A url, and what `osmo credential set` and the environment need to know of it."""

    url: str
    payload: dict[str, str]
    environ: dict[str, str]


def _through_s3(url: str, endpoint: str, server: S3Server) -> At:
    keys = {"access_key_id": server.key, "access_key": server.secret}
    return At(url, {"endpoint": endpoint, **keys, "override_url": server.endpoint, "addressing_style": "path"}, {})


@pytest.fixture
def at(request: pytest.FixtureRequest, server: S3Server, tmp_path: Path) -> Iterator[At]:
    scheme = request.param
    if scheme in ("s3", "gs", "tos"):
        server.make_bucket(f"scheme-{scheme}")
    if scheme == "file":
        yield At(f"file://{tmp_path}/store", {}, {})
    elif scheme in ("s3", "gs"):
        yield _through_s3(f"{scheme}://scheme-{scheme}/x", f"{scheme}://scheme-{scheme}", server)
    elif scheme == "swift":
        profile = f"swift://objects.example.com/{NAMESPACE}"
        (tmp_path / "swift").mkdir()
        with swift(tmp_path / "swift", ("container",)) as running:
            yield _through_s3(f"{profile}/container/x", profile, running)
    elif scheme == "tos":
        profile = "tos://tos-s3-cn-beijing.example.com/scheme-tos"
        yield _through_s3(f"{profile}/x", profile, server)
    elif scheme == "azure":
        with azurite(tmp_path, ("container",)) as azure:
            yield At(
                f"{azure.url('container')}/x", {"endpoint": f"azure://{ACCOUNT}", "access_key": azure.connection}, {}
            )
    else:
        with google(("bucket",)) as cloud:
            yield At("gs://bucket/x", {"endpoint": "gs://bucket", "override_url": cloud.endpoint}, dict(cloud.environ))


SHORT = ("azure", "gs with a token", "swift")
LONG = ("file", "s3", "gs", "tos")
SCHEMES: list[Any] = [*SHORT, *(pytest.param(each, marks=pytest.mark.long) for each in LONG)]


@pytest.mark.parametrize("at", SCHEMES, indirect=True)
def test_what_was_checkpointed_before_the_machine_was_lost_comes_back(at: At, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with osmo_in(tmp_path / "one", {**NO_METADATA, **at.environ}) as osmo:
        _keep(osmo, at)
        data = tmp_path / "one/data"
        script = (
            f"mkdir -p {data}/sub; head -c 9000000 /dev/urandom > {data}/big; echo 1 > '{data}/sub/a b#1'; sleep 1000"
        )
        run = osmo.submit(osmo.task(script, checkpoint=[{"path": str(data), "url": at.url, "frequency": "1s"}]))
        osmo.until_logged(run, " finished")
        _lose(osmo, run)
        want = {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    with osmo_in(tmp_path / "two", {**NO_METADATA, **at.environ}) as other:
        _keep(other, at)
        listed = json.loads(other("checkpoint", "list", at.url, "--json").stdout)
        assert listed
        back = other("checkpoint", "restore", at.url, "back")
        assert back.returncode == 0, back.stderr
        found = tmp_path / "two/back"
        assert {path.relative_to(found): path.read_bytes() for path in found.rglob("*") if path.is_file()} == want
        assert other("checkpoint", "verify", at.url, "--deep").returncode == 0


def _keep(osmo: Osmo, at: At) -> None:
    if at.payload:
        pairs = [f"{key}={value}" for key, value in at.payload.items() if key != "access_key"]
        if "access_key" in at.payload:
            keep_secret(osmo.directory / "secret", at.payload["access_key"])
            pairs += ["--payload-file", "access_key=secret"]
        kept = osmo("credential", "set", "here", "--type", "DATA", "--payload", *pairs)
        assert kept.returncode == 0, kept.stderr


def _lose(osmo: Osmo, run: str) -> None:
    """SIGKILL to all of it: supervisor, agent, command."""
    attempt = osmo.attempt(run)
    directory = osmo.home.workflows / run
    supervisor = Process.read(records.read(directory / "supervisor.json") or {})
    for process in (supervisor, Process.read(records.read(attempt.path / "agent.json") or {})):
        os.kill(process.pid, signal.SIGKILL)
    child = Process.read(records.read(attempt.path / "child.json") or {})
    os.killpg(child.pid, signal.SIGKILL)
    until(lambda: not child.alive, "the end of the command")
