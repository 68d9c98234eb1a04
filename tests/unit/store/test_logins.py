"""Which of Azure's and Google's credentials are taken. Nobody is asked for a token here."""

import base64
import json
from pathlib import Path

import pytest

from osmo.errors import NoCredentials
from osmo.store import azure, google
from osmo.store.azure import AzureCredentials, connection
from osmo.store.google import GoogleCredentials
from osmo.store.profiles import NONE, Profile
from osmo.store.url import parse
from support.planted import keep_secret

KEY = base64.b64encode(b"hunter2").decode()
PRINCIPAL = {"AZURE_CLIENT_ID": "me", "AZURE_TENANT_ID": "t"}


@pytest.fixture(autouse=True)
def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "on_azure", lambda: False)
    monkeypatch.setattr(google, "on_google", lambda environ: bool(environ.get("GCE_METADATA_HOST")))


@pytest.mark.parametrize(
    ("environ", "source", "fixed"),
    [
        ({"AZURE_STORAGE_KEY": KEY}, "environment (AZURE_STORAGE_KEY)", "access_key"),
        ({"AZURE_STORAGE_ACCOUNT_KEY": KEY}, "environment (AZURE_STORAGE_ACCOUNT_KEY)", "access_key"),
        ({"AZURE_STORAGE_SAS_TOKEN": "?sv=1"}, "environment (AZURE_STORAGE_SAS_TOKEN)", "sas_token"),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=acc;AccountKey={KEY}", "AZURE_STORAGE_KEY": "x"},
            "environment (AZURE_STORAGE_CONNECTION_STRING)",
            "access_key",
        ),
        ({**PRINCIPAL, "AZURE_CLIENT_SECRET": "hunter2"}, "service principal (AZURE_CLIENT_ID)", ""),
        ({**PRINCIPAL, "AZURE_FEDERATED_TOKEN_FILE": "/t"}, "workload identity (AZURE_FEDERATED_TOKEN_FILE)", ""),
        ({"IDENTITY_ENDPOINT": "http://x"}, "managed identity", ""),
    ],
)  # fmt: skip
def test_azures_order(environ: dict[str, str], source: str, fixed: str) -> None:
    found = AzureCredentials(parse("azure://acc/c"), {"HOME": "/nowhere", **environ})
    found.find()
    assert found.source == source
    assert (found.fixed is not None and fixed in found.fixed) is bool(fixed)
    assert bool(found.config) is not bool(fixed)


def test_another_accounts_connection_is_not_used() -> None:
    environ = {"HOME": "/nowhere", "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=other;AccountKey={KEY}"}
    with pytest.raises(NoCredentials):
        AzureCredentials(parse("azure://acc/c"), environ).find()


@pytest.mark.parametrize("text", ["nonsense", KEY, f"AccountKey={KEY}", "Account=acc;Key=x"])
def test_what_is_no_connection_string_is_said_to_be_none(text: str) -> None:
    environ = {"HOME": "/nowhere", "AZURE_STORAGE_CONNECTION_STRING": text}
    with pytest.raises(NoCredentials, match="AZURE_STORAGE_CONNECTION_STRING is no connection string"):
        AzureCredentials(parse("azure://acc/c"), environ).find()


def test_the_login_of_az(tmp_path: Path) -> None:
    (tmp_path / "azureProfile.json").touch()
    found = AzureCredentials(parse("azure://acc/c"), {"AZURE_CONFIG_DIR": str(tmp_path)})
    found.find()
    assert (found.source, found.config) == ("the login of `az`", {"use_azure_cli": True})


def test_a_connection_string_of_another_account_is_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=hunter2"}
    with pytest.raises(NoCredentials, match="AZURE_STORAGE_CONNECTION_STRING is of the account other$"):
        AzureCredentials(parse("azure://acc/c"), environ).find()


def test_what_is_kept_wins() -> None:
    kept = Profile("azure://acc", "credential 'x'", {"access_key": KEY})
    found = AzureCredentials(parse("azure://acc/c"), {"AZURE_STORAGE_SAS_TOKEN": "sig"}, kept)
    assert found() == {"access_key": KEY, "expires_at": None}
    assert found.source == "credential 'x'"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (KEY, {"accountkey": KEY}),
        ("AccountName=a;AccountKey=a2V5PT0=;", {"accountname": "a", "accountkey": "a2V5PT0="}),
        ("BlobEndpoint=https://x/;SharedAccessSignature=sv=1&sig=a%3D",
         {"blobendpoint": "https://x/", "sharedaccesssignature": "sv=1&sig=a%3D"}),
    ],
)  # fmt: skip
def test_a_connection_string_is_taken_apart(text: str, want: dict[str, str]) -> None:
    assert connection(text) == want


def written(path: Path, kind: str) -> str:
    keep_secret(path, json.dumps({"type": kind, "private_key": "hunter2"}))
    return str(path)


def test_googles_order(tmp_path: Path) -> None:
    machine = {"HOME": str(tmp_path), "GCE_METADATA_HOST": "h"}
    found = GoogleCredentials(NONE, machine)
    found.find()
    assert found.source == "the machine's service account"
    (tmp_path / ".config/gcloud").mkdir(parents=True)
    login = written(tmp_path / ".config/gcloud/application_default_credentials.json", "authorized_user")
    found.forget()
    found.find()
    assert found.config == {"application_credentials": login}
    named = GoogleCredentials(
        NONE, {**machine, "GOOGLE_APPLICATION_CREDENTIALS": written(tmp_path / "key.json", "service_account")}
    )
    named.find()
    assert named.config == {"application_credentials": str(tmp_path / "key.json")}
    kept = GoogleCredentials(
        Profile("gs://b", "credential 'g'", {"access_key": (tmp_path / "key.json").read_text()}), machine
    )
    kept.find()
    assert kept.source == "credential 'g'"


@pytest.mark.parametrize(
    ("text", "words"), [("{", "holds no Google key"), ('{"type": "external_account"}', "of a kind")]
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(NoCredentials, match=words):
        GoogleCredentials(NONE, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "k")}).find()
    with pytest.raises(NoCredentials, match="cannot be read: No such file"):
        GoogleCredentials(NONE, {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"}).find()
