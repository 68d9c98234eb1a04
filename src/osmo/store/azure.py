"""Azure Blob Storage: its endpoint, and its credentials in the order that Azure's own tools take them.

A stored connection string, account key or SAS; the same from the environment; a service principal or workload
identity; the login of the `az` command; the machine's managed identity. obstore gets and renews the tokens of the last
four.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import AzureStore

from osmo.errors import NoCredentials, StoreError
from osmo.store.aws import checked_endpoint
from osmo.store.clients import Clients
from osmo.store.profiles import NONE, Profile
from osmo.store.url import StoreUrl

if TYPE_CHECKING:
    from obstore.store import AzureConfig, AzureCredential, ClientConfig, ObjectStore, RetryConfig

_ASSET_TAG = Path("/sys/class/dmi/id/chassis_asset_tag")
_AZURE = "7783-7084-3265-9085-8269-3286-77"  # what every virtual machine of Azure says there
_FIELDS = {"accountkey", "sharedaccesssignature", "blobendpoint", "accountname"}  # a connection string has one at least
_HINT = (
    "Run `az login`, set AZURE_STORAGE_CONNECTION_STRING, or keep one: "
    "`osmo credential set NAME --type DATA --payload endpoint={} --payload-file access_key=FILE`."
)


def connection(text: str) -> dict[str, str]:
    """The settings of a connection string, by their names in lower case; a bare account key is `accountkey`."""
    pairs = (pair.partition("=") for pair in text.strip().split(";") if pair.strip())
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return found if _FIELDS & found.keys() else {"accountkey": text.strip()}


def _kept(profile: Profile, environ: Mapping[str, str], account: str) -> tuple[dict[str, str], str]:
    """What is known without asking anybody, and where it was found."""
    if profile["access_key"]:
        return connection(profile["access_key"]), profile.source
    if profile["sas_token"]:
        return {"sharedaccesssignature": profile["sas_token"]}, profile.source
    if text := environ.get("AZURE_STORAGE_CONNECTION_STRING"):
        found = connection(text)
        if not found.keys() & (_FIELDS - {"accountkey"}):
            raise NoCredentials(
                "AZURE_STORAGE_CONNECTION_STRING is no connection string",
                hint="It looks like AccountName=NAME;AccountKey=KEY: `az storage account show-connection-string` says "
                "it. A key alone is AZURE_STORAGE_KEY.",
            )
        if found.get("accountname", account) == account:
            return found, "environment (AZURE_STORAGE_CONNECTION_STRING)"
    if environ.get("AZURE_STORAGE_ACCOUNT", account) == account:
        for variable, name in (
            ("AZURE_STORAGE_KEY", "accountkey"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "accountkey"),
            ("AZURE_STORAGE_SAS_TOKEN", "sharedaccesssignature"),
        ):
            if value := environ.get(variable):
                return {name: value}, f"environment ({variable})"
    return {}, ""


def endpoint_of(url: StoreUrl, profile: Profile, environ: Mapping[str, str]) -> str:
    """The address of an account: Azure's public one, unless a credential says another."""
    found, _ = _kept(profile, environ, url.host)
    written = profile["override_url"] or found.get("blobendpoint") or environ.get("AZURE_STORAGE_ENDPOINT", "")
    protocol = found.get("defaultendpointsprotocol", "https")
    suffix = found.get("endpointsuffix", "core.windows.net")
    return checked_endpoint(written or f"{protocol}://{url.host}.blob.{suffix}")


class AzureCredentials:
    """Which of the credentials are taken: `source` says so, `config` is how obstore wants to hear it."""

    def __init__(self, url: StoreUrl, environ: Mapping[str, str], profile: Profile = NONE) -> None:
        self._url, self._environ, self._profile = url, environ, profile
        self.source = "none found"
        self.config: AzureConfig = {}
        self.fixed: AzureCredential | None = None

    def find(self) -> None:
        """Look for them, unless they are found. `NoCredentials` if there are none."""
        if self.fixed is None and not self.config:
            self._look()

    def forget(self) -> None:
        self.fixed, self.config = None, {}

    def failure(self) -> StoreError | None:
        return None

    def __call__(self) -> "AzureCredential":
        self.find()
        assert self.fixed is not None, "only a key or a signature is given out"
        return self.fixed

    def _look(self) -> None:
        found, self.source = _kept(self._profile, self._environ, self._url.host)
        if found.get("accountkey"):
            self.fixed = {"access_key": found["accountkey"], "expires_at": None}
        elif found.get("sharedaccesssignature"):
            self.fixed = {"sas_token": found["sharedaccesssignature"].removeprefix("?"), "expires_at": None}
        else:
            self.config, self.source = self._of_a_login()

    def _of_a_login(self) -> "tuple[AzureConfig, str]":
        environ = self._environ
        if self._profile["anonymous"]:
            return {"skip_signature": True}, "anonymous"
        if all(environ.get(f"AZURE_{name}") for name in ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID")):
            return {
                "client_id": environ["AZURE_CLIENT_ID"],
                "client_secret": environ["AZURE_CLIENT_SECRET"],
                "tenant_id": environ["AZURE_TENANT_ID"],
            }, "service principal (AZURE_CLIENT_ID)"
        if all(environ.get(f"AZURE_{name}") for name in ("CLIENT_ID", "FEDERATED_TOKEN_FILE", "TENANT_ID")):
            return {
                "client_id": environ["AZURE_CLIENT_ID"],
                "federated_token_file": environ["AZURE_FEDERATED_TOKEN_FILE"],
                "tenant_id": environ["AZURE_TENANT_ID"],
            }, "workload identity (AZURE_FEDERATED_TOKEN_FILE)"
        if endpoint := environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"):
            return {"msi_endpoint": endpoint}, "managed identity"
        if _logged_in(environ):
            return {"use_azure_cli": True}, "the login of `az`"
        if on_azure():
            return {"use_azure_cli": False}, "managed identity"
        raise NoCredentials(f"no Azure credentials found{self._of_another()}", hint=_HINT.format(self._url.profile))

    def _of_another(self) -> str:
        """What is there, but not for this account."""
        account = connection(self._environ.get("AZURE_STORAGE_CONNECTION_STRING", "")).get("accountname", "")
        return f": AZURE_STORAGE_CONNECTION_STRING is of the account {account}" if account else ""


def _logged_in(environ: Mapping[str, str]) -> bool:
    directory = environ.get("AZURE_CONFIG_DIR") or Path(environ.get("HOME", "/nonexistent"), ".azure")
    return Path(directory, "azureProfile.json").exists()


def on_azure(asset_tag: Path = _ASSET_TAG) -> bool:
    """Whether this machine is Azure's, so that it may have an identity: without asking anybody."""
    try:
        return asset_tag.read_text().strip() == _AZURE
    except OSError:
        return False


class AzureClients(Clients):
    """Clients that speak Azure's own API."""

    taken = 409
    credentials: AzureCredentials
    account: str

    def _client(self, options: "ClientConfig", retries: "RetryConfig") -> "ObjectStore":
        found = self.credentials
        config: AzureConfig = {"account_name": self.account, "endpoint": self._place.endpoint, **found.config}
        return AzureStore(
            self._bucket,
            prefix=self._prefix or None,
            config=config,
            client_options=options,
            retry_config=retries,
            credential_provider=found if found.fixed is not None else None,
        )
