"""The contract at Azure's own test server and at a small fake of Google's; the clouds that speak S3, at S3 servers."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from contract.conftest import BUCKET
from contract.s3 import S3Contract
from contract.store import ODD_KEYS, StoreContract, listed
from osmo.errors import AccessDenied, NoBucket, NoCredentials, StoreError, Unavailable, WrongCredentials
from osmo.store.base import Store
from osmo.store.open import open_store, probe
from support.azurite import ACCOUNT, KEY, Azurite, azurite
from support.google import Google, google
from support.planted import keep_secret
from support.servers import NO_METADATA, S3Server
from support.swift import NAMESPACE
from support.swift import swift as swift_s3

HOST = "objects.example.com"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite"), (BUCKET,)) as server:
        yield server


@pytest.fixture(scope="module")
def fake_google() -> Iterator[Google]:
    with google((BUCKET,)) as server:
        yield server


def keep(home: Path, profiles: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """An environment with these credentials in OSMO's file. JSON is YAML, too."""
    keep_secret(home / "config.yaml", json.dumps({"auth": {"data": profiles}}))
    return {**NO_METADATA, "OSMO_CONFIG_FILE_DIR": str(home)}


class TestAzurite(StoreContract):
    splices = False

    @pytest.fixture
    def store(self, azure: Azurite, folder: str) -> Store:
        return open_store(f"{azure.url(BUCKET)}/odd #1/{folder}", azure.environ)

    @pytest.mark.parametrize("key", [key for key in ODD_KEYS if "\\" not in key])
    def test_a_key_is_taken_literally(self, store: Store, key: str) -> None:
        super().test_a_key_is_taken_literally(store, key)

    @pytest.mark.parametrize("key", [key for key in ODD_KEYS if "\\" not in key])
    def test_keys_of_a_copy_are_taken_literally(self, store: Store, key: str) -> None:
        super().test_keys_of_a_copy_are_taken_literally(store, key)

    def test_a_backslash_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="Azure takes a backslash for a slash"):
            store.put("a\\b", b"")
        assert listed(store) == {}

    def test_a_container_that_does_not_exist(self, azure: Azurite) -> None:
        store = open_store(azure.url("nosuch"), azure.environ)
        for request in (
            lambda: store.put("k", b""),
            lambda: store.put_new("k", b""),
            lambda: store.get("k"),
            lambda: list(store.list("")),
            lambda: probe(azure.url("nosuch"), azure.environ),
        ):
            with pytest.raises(NoBucket, match=f"^azure://{ACCOUNT}/nosuch.*404 ContainerNotFound$"):
                request()

    @pytest.mark.parametrize("kind", ["connection string", "account key", "profile"])
    def test_the_ways_to_give_a_key(self, azure: Azurite, tmp_path: Path, kind: str) -> None:
        here = {"override_url": azure.endpoint}
        ways = {
            "connection string": (dict(azure.environ), {}),
            "account key": ({"AZURE_STORAGE_KEY": KEY}, here),
            "profile": ({}, {"access_key": azure.connection}),
        }
        environ, kept = ways[kind]
        probe(azure.url(BUCKET), keep(tmp_path, {f"azure://{ACCOUNT}": kept}) | environ)

    def test_a_wrong_key_is_denied_and_its_place_named(self, azure: Azurite, tmp_path: Path) -> None:
        wrong = base64.b64encode(b"hunter2" * 8).decode()
        kept = {"access_key": azure.connection.replace(KEY, wrong)}
        environ = keep(tmp_path, {f"azure://{ACCOUNT}": kept})
        with pytest.raises(
            AccessDenied, match=r"403 AuthorizationFailure \(credentials: azure://.* in .*config.yaml\)$"
        ) as caught:
            probe(azure.url(BUCKET), environ)
        assert "account key" in caught.value.hint
        assert wrong not in str(caught.value)

    def test_no_credentials_and_the_ways_out(self, tmp_path: Path) -> None:
        with pytest.raises(NoCredentials, match="^azure://acc/con: no Azure credentials found$") as caught:
            probe("azure://acc/con", {**NO_METADATA, "HOME": str(tmp_path)})
        assert "az login" in caught.value.hint
        assert "endpoint=azure://acc " in caught.value.hint


class TestGoogle(StoreContract):
    splices = False

    @pytest.fixture
    def store(self, fake_google: Google, folder: str, tmp_path: Path) -> Store:
        environ = keep(tmp_path, {f"gs://{BUCKET}": {"override_url": fake_google.endpoint}})
        return open_store(f"gs://{BUCKET}/odd #1/{folder}", {**environ, **fake_google.environ})

    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch: pytest.MonkeyPatch, fake_google: Google) -> None:
        """obstore asks the environment of the process where the machine's account is."""
        monkeypatch.setenv("GCE_METADATA_HOST", fake_google.environ["GCE_METADATA_HOST"])

    def test_a_bucket_that_does_not_exist(self, fake_google: Google, tmp_path: Path) -> None:
        environ = keep(tmp_path, {"gs://nosuch": {"override_url": fake_google.endpoint}}) | dict(fake_google.environ)
        with pytest.raises(NoBucket, match="^gs://nosuch at http.*404 NoSuchBucket$"):
            probe("gs://nosuch", environ)

    def test_a_token_that_is_refused_is_got_anew(self, store: Store, fake_google: Google) -> None:
        store.put("k", b"")
        fake_google.token += "-new"
        with pytest.raises(
            AccessDenied, match=r"401 AuthenticationRequired \(credentials: the machine's service account\)"
        ):
            store.put("k", b"2")
        store.put("k", b"3")

    def test_a_login_that_is_not_valid_any_more(self, fake_google: Google, tmp_path: Path) -> None:
        key = tmp_path / "key.json"
        account = {"type": "service_account", "private_key": "hunter2", "private_key_id": "", "client_email": ""}
        keep_secret(key, json.dumps(account))
        environ = {**NO_METADATA, "HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": str(key)}
        with pytest.raises(StoreError) as caught:
            probe(f"gs://{BUCKET}", environ)
        assert "hunter2" not in str(caught.value)

    def test_no_credentials_and_the_ways_out(self, tmp_path: Path) -> None:
        with pytest.raises(NoCredentials, match=f"^gs://{BUCKET}: no Google credentials found$") as caught:
            probe(f"gs://{BUCKET}", {**NO_METADATA, "HOME": str(tmp_path)})
        assert "gcloud auth application-default login" in caught.value.hint


class TestSwift(S3Contract):
    """The one of Debian 12, 2.30. It takes a condition for none."""

    create_only = False
    many = 1100  # two pages; it takes 7 ms for each key

    @pytest.fixture
    def server(self, swift: S3Server) -> S3Server:
        return swift

    @pytest.fixture
    def store(self, swift: S3Server, folder: str, tmp_path: Path) -> Store:
        kept = {"access_key_id": swift.key, "access_key": swift.secret, "override_url": swift.endpoint}
        environ = keep(tmp_path, {f"swift://{HOST}/{NAMESPACE}": kept})
        return open_store(f"swift://{HOST}/{NAMESPACE}/{BUCKET}/odd #1/{folder}", environ)

    @pytest.mark.long  # 8 s
    def test_all_of_many_folders_are_found(self, store: Store) -> None:
        super().test_all_of_many_folders_are_found(store)

    def test_another_region_is_named(self, swift: S3Server) -> None:
        with pytest.raises(
            NoBucket, match="400 AuthorizationHeaderMalformed; no such bucket in this region$"
        ) as caught:
            probe(f"s3://{BUCKET}", swift.environ | {"AWS_REGION": "eu-west-1"})
        assert caught.value.hint == "Set AWS_REGION=us-east-1."

    def test_clocks_that_differ_are_named(self, tmp_path: Path) -> None:
        with swift_s3(tmp_path, ahead_s=3600) as later:
            with pytest.raises(WrongCredentials, match="403 RequestTimeTooSkewed") as caught:
                probe(f"s3://{BUCKET}", later.environ)
            assert caught.value.hint == "The clocks here and there differ: set the one that is wrong."

    @pytest.mark.parametrize("wrong", [{"access_key": "hunter2"}, {"access_key_id": "team:who"}])
    def test_wrong_credentials(self, swift: S3Server, tmp_path: Path, wrong: Mapping[str, str]) -> None:
        """It says the same of a key that it does not know and of a secret that is another."""
        profile = f"swift://{HOST}/{NAMESPACE}"
        kept = {"access_key_id": swift.key, "access_key": swift.secret, "override_url": swift.endpoint}
        environ = keep(tmp_path, {profile: kept | dict(wrong)})
        with pytest.raises(AccessDenied, match=rf"403 SignatureDoesNotMatch \(credentials: {profile} in ") as caught:
            probe(f"{profile}/{BUCKET}", environ)
        assert caught.value.hint
        assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("url", "profile"),
    [
        (f"gs://{BUCKET}", f"gs://{BUCKET}"),
        (f"swift://{HOST}/AUTH_team/{BUCKET}", f"swift://{HOST}/AUTH_team"),
        (f"tos://tos-s3-cn-beijing.example.com/{BUCKET}", f"tos://tos-s3-cn-beijing.example.com/{BUCKET}"),
    ],
)
class TestThroughS3:
    """Keys of the stored credential, path style at another address: what else there is of S3 is tested of s3."""

    def test_all_that_a_checkpoint_asks(
        self, rclone: S3Server, tmp_path: Path, folder: str, url: str, profile: str
    ) -> None:
        kept = {"access_key_id": rclone.key, "access_key": rclone.secret, "override_url": rclone.endpoint}
        environ = keep(tmp_path, {profile: {**kept, "addressing_style": "path"}})
        store = open_store(f"{url}/{folder}", environ)
        probe(f"{url}/{folder}", environ)
        store.put("a/b#1", b"x")
        store.put_parts("big", (bytes(5 << 20), b"end"), part_size=5 << 20, concurrency=2)
        store.copy("a/b#1", "c", 1)
        assert {key: each.size for key, each in listed(store).items()} == {"a/b#1": 1, "c": 1, "big": (5 << 20) + 3}
        assert store.folders("") == ("a",)
        assert store.excludes() is False
        assert list(store.unfinished("")) == []
        store.delete("c")
        assert set(listed(store)) == {"a/b#1", "big"}

    def test_a_wrong_secret_names_the_credential(
        self, rclone: S3Server, tmp_path: Path, url: str, profile: str
    ) -> None:
        kept = {"access_key_id": rclone.key, "access_key": "hunter2", "override_url": rclone.endpoint}
        environ = keep(tmp_path, {profile: {**kept, "addressing_style": "path"}})
        with pytest.raises(AccessDenied, match=rf"403 SignatureDoesNotMatch \(credentials: {profile} in ") as caught:
            probe(url, environ)
        assert "hunter2" not in str(caught.value)

    def test_without_keys_nobody_is_asked(self, tmp_path: Path, url: str, profile: str) -> None:
        with pytest.raises(NoCredentials, match=r"credentials found") as caught:
            probe(url, {**NO_METADATA, "HOME": str(tmp_path)})
        assert "osmo credential set" in caught.value.hint


def test_an_account_that_is_not_there(tmp_path: Path) -> None:
    environ = {**NO_METADATA, "HOME": str(tmp_path), "AZURE_STORAGE_KEY": base64.b64encode(b"x").decode()}
    with pytest.raises((StoreError, Unavailable), match="^azure://nosuchaccount/c"):
        probe("azure://nosuchaccount/c", environ)
