"""Credentials that are kept on this machine, and what uses them."""

import contextlib
import json
import stat
from pathlib import Path

import pytest

from acceptance.conftest import Bucket
from support.cli import Osmo
from support.planted import WRONG, keep_secret
from support.servers import S3Server


@pytest.fixture
def bare(osmo: Osmo) -> Osmo:
    """Without credentials and an endpoint in its environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"):
        del osmo.environ[name]
    return osmo


def test_a_checkpoint_with_a_stored_credential_and_nothing_in_the_environment(
    bare: Osmo, server: S3Server, bucket: Bucket
) -> None:
    keep_secret(bare.directory / "secret", f"{server.secret}\n")
    task = bare.task(
        "mkdir -p d && echo weights > d/model",
        checkpoint=[{"path": str(bare.directory / "d"), "url": f"s3://{bucket.name}/x", "frequency": "1h"}],
    )
    refused = bare("workflow", "submit", task)
    assert (refused.returncode, "osmo credential set" in refused.stderr) == (2, True)
    kept = bare(
        *("credential", "set", "lab", "--type", "DATA", "--payload", f"endpoint=s3://{bucket.name}"),
        *(f"access_key_id={server.key}", "--payload", f"override_url={server.endpoint}"),
        *("--payload-file", "access_key=secret"),
    )
    assert kept.stdout == "Set DATA credential: lab (in ~/.config/osmo/config.yaml)\n", kept.stderr
    run = bare.submit(task)
    assert bare.wait(run).returncode == 0
    assert (bucket.directory / "x/d/model").read_text() == "weights\n"


def test_a_secret_in_the_keyring_is_used_and_is_not_in_our_file(bare: Osmo, server: S3Server, bucket: Bucket) -> None:
    bare.environ["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"  # one that needs no desktop
    keep_secret(bare.directory / "secret", server.secret)
    (bare.directory / "model").write_text("weights")
    kept = bare(
        *("credential", "set", "lab", "--keyring", "--payload", f"endpoint=s3://{bucket.name}"),
        *(f"access_key_id={server.key}", f"override_url={server.endpoint}", "--payload-file", "access_key=secret"),
    )
    assert kept.returncode == 0, kept.stderr
    assert server.secret not in Path(bare.environ["HOME"], ".config/osmo/config.yaml").read_text()
    sent = bare("data", "upload", f"s3://{bucket.name}/x/", "model")
    assert sent.returncode == 0, sent.stderr
    assert bucket.files() == {"x/model"}

    (ring,) = Path(bare.environ["HOME"]).rglob("keyring_pass.cfg")
    there = len(ring.read_text())
    assert bare("credential", "delete", "lab").returncode == 0
    assert len(ring.read_text()) < there


def test_a_keyring_that_refuses_is_a_line(bare: Osmo) -> None:
    bare.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    keep_secret(bare.directory / "secret", WRONG)
    payload = ("--payload", "endpoint=s3://b", "access_key_id=ID", "--payload-file", "access_key=secret")
    refused = bare("credential", "set", "lab", "--keyring", *payload)
    assert refused.returncode == 1
    assert refused.stderr.startswith("osmo: the system's keyring: No recommended backend was available.")
    assert "without --keyring" in refused.stderr
    assert not Path(bare.environ["HOME"], ".config/osmo/config.yaml").exists()


def test_they_are_listed_without_a_value_and_deleted(bare: Osmo) -> None:
    """What is said as an argument is in `ps`, whatever osmo does: these are none of the planted ones."""
    for arguments in (
        ("one", "--payload", "endpoint=s3://b", "access_key_id=ID", "access_key=shown-to-ps"),
        ("two", "--type", "GENERIC", "--payload", "token=shown-to-ps"),
        ("three", "--type", "REGISTRY", "--payload", "registry=r.example", "username=me", "auth=shown-to-ps"),
    ):
        assert bare("credential", "set", *arguments).returncode == 0
    file = Path(bare.environ["HOME"], ".config/osmo/config.yaml")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    table, found = bare("credential", "list"), json.loads(bare("credential", "list", "--json").stdout)
    assert "shown-to-ps" not in table.stdout + table.stderr + str(found)
    assert found[0] == {"name": "one", "type": "DATA", "endpoint": "s3://b", "fields": ["access_key", "access_key_id"]}
    assert [one["name"] for one in found] == ["one", "two", "three"]
    for name in ("one", "two", "three"):
        assert bare("credential", "delete", name).stdout == f"Deleted credential: {name}\n"
    assert bare("credential", "list").stdout == "There are no credentials.\n"
    gone = bare("credential", "delete", "one")
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (2, "osmo: there is no credential 'one'")


def test_a_mistake_shows_no_secret(bare: Osmo) -> None:
    for arguments in (("--payload", "shown-to-ps"), ("--payload", "endpoint=s3://b", "acces_key=shown-to-ps")):
        wrong = bare("credential", "set", "x", *arguments)
        assert (wrong.returncode, "shown-to-ps" in wrong.stdout + wrong.stderr) == (2, False)
        assert len(wrong.stderr.splitlines()) == 1


def test_a_secret_is_nowhere_but_in_files_that_nobody_else_may_read(
    bare: Osmo, server: S3Server, bucket: Bucket
) -> None:
    """Planted in the environment and in the file; looked for in all that was printed, written, shown."""
    planted = WRONG
    bare.environ |= {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": planted}
    keep_secret(bare.directory / "secret", planted)
    (bare.directory / "d").mkdir()
    url = f"s3://{bucket.name}/x"
    said = [
        bare(
            *(
                "credential",
                "set",
                "lab",
                "--payload",
                f"endpoint=s3://{bucket.name}",
                f"override_url={server.endpoint}",
            ),
            *(f"access_key_id={server.key}", "--payload-file", "access_key=secret"),
        ),
        bare("data", "check", url),
        bare("data", "upload", url, "secret"),
    ]
    entry = {"path": str(bare.directory / "d"), "url": url, "frequency": "1s"}
    run = bare.submit(bare.task("sleep 3", checkpoint=[entry]), "--no-check", OSMO_FINAL_TIMEOUT="2s")
    arguments = _command_lines(bare)
    said += [
        bare.wait(run),
        bare("workflow", "logs", run, "--no-follow"),
        bare("workflow", "query", run, "-v", "--json"),
    ]
    said += [bare("credential", "list", "--json"), bare("settings", "--json")]
    assert "SignatureDoesNotMatch" in said[1].stderr
    assert planted not in "".join(each.stdout + each.stderr for each in said)
    assert planted.encode() not in arguments
    found = [path for path in bare.directory.rglob("*") if path.is_file() and planted.encode() in path.read_bytes()]
    assert found  # it is in the file of credentials, at least
    assert [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert [path for path in found if path.suffix in (".log", ".err") or path.name == "status.json"] == []


def _command_lines(osmo: Osmo) -> bytes:
    """Of all processes that name its home: what `ps` shows."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_bytes())
    return b"".join(line for line in found if str(osmo.home.path).encode() in line)
